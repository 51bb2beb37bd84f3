"""A bench PKI by the openssl command: two roots, an intermediate each, the file names of `vigie-api pki
init`.  It can also make the certificates a real PKI refuses to: wrong names, wrong CA, expired."""
import subprocess
from pathlib import Path

CA_EXTENSIONS = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
LEAF_EXTENSIONS = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
CRL_CONFIG = """[ca]
default_ca = one
[one]
database = {folder}/index.txt
certificate = {folder}/vehicle-intermediate.pem
private_key = {folder}/vehicle-intermediate.key
default_md = sha256
default_crl_days = 14
"""


def openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    path.chmod(0o600)


class BenchPki:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.serial = 0
        for side in ("vehicle", "service"):
            self.make_ca(side)
        self.server_cert, self.server_key = self.leaf(
            "server", "localhost", "service", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n"
            "extendedKeyUsage=serverAuth\n")
        (self.folder / "index.txt").touch()
        (self.folder / "crl.cnf").write_text(CRL_CONFIG.format(folder=self.folder))
        self.write_crl()

    def path(self, name):
        return self.folder / name

    def make_ca(self, side):
        root, middle = self.path(f"{side}-root"), self.path(f"{side}-intermediate")
        new_key(Path(f"{root}.key"))
        openssl("req", "-x509", "-new", "-key", f"{root}.key", "-days", 30, "-subj",
                f"/CN=Bench {side} root", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", f"{root}.pem")
        self.sign(middle, f"/CN=Bench {side} intermediate", root, CA_EXTENSIONS)
        self.path(f"{side}-chain.pem").write_text(
            Path(f"{middle}.pem").read_text() + Path(f"{root}.pem").read_text())

    def sign(self, stem, subject, ca, extensions, days=10):
        new_key(Path(f"{stem}.key"))
        Path(f"{stem}.ext").write_text(extensions)
        openssl("req", "-new", "-key", f"{stem}.key", "-subj", subject, "-out", f"{stem}.csr")
        self.serial += 1
        openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                "-set_serial", self.serial, "-days", days, "-extfile", f"{stem}.ext",
                "-out", f"{stem}.pem")

    def leaf(self, file_name, cn, side, extensions="extendedKeyUsage=clientAuth\n", days=10):
        """(certificate with its intermediate, key); `cn` is taken as it is, slashes included."""
        stem, middle = self.path(file_name), self.path(f"{side}-intermediate")
        escaped = cn.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")
        self.sign(stem, f"/CN={escaped}", middle, LEAF_EXTENSIONS + extensions, days)
        cert = Path(f"{stem}.pem")
        cert.write_text(cert.read_text() + Path(f"{middle}.pem").read_text())
        return cert, Path(f"{stem}.key")

    def write_crl(self):
        openssl("ca", "-gencrl", "-config", self.path("crl.cnf"), "-out", self.path("crl.new"))
        self.path("crl.new").rename(self.path("vehicle.crl"))

    def revoke(self, cert):
        openssl("ca", "-config", self.path("crl.cnf"), "-revoke", cert)
        self.write_crl()
