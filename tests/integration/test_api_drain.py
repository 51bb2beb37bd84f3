"""SIGTERM: what is under way is answered, nothing new is begun, and it ends by itself."""
import http.client
import signal
import socket
import threading

import psycopg2
from api_site import OURS, ApiSite, wait_until


def test_the_last_answer_is_given_and_no_new_question_taken(tmp_path):
    s = ApiSite(tmp_path)
    lock = psycopg2.connect(s.postgres.conninfo())
    try:
        token, answers = s.token(), []
        kept = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
        kept.request("GET", "/api/frontend/health")
        assert kept.getresponse().read()
        lock.cursor().execute(f"SELECT 1 FROM vehicle WHERE vin = '{OURS[0]}' FOR UPDATE")
        slow = threading.Thread(target=lambda: answers.append(
            s.ask("PATCH", f"vehicles/{OURS[0]}", {"name": "x"}, {"If-Match": '"v1"'}, token)))
        slow.start()
        wait_until(lambda: s.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "0", why="the change to wait")
        s.api.process.send_signal(signal.SIGTERM)
        wait_until(lambda: s.ready() != 200, why="readyz to say no")

        def refused():
            try:
                with socket.create_connection(("127.0.0.1", s.http), timeout=30) as new:
                    new.sendall(b"GET /api/frontend/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    return new.recv(100) == b""
            except OSError:
                return True
        wait_until(refused, why="a new connection to be refused")
        lock.rollback()
        slow.join(60)
        assert answers and answers[0].code == 200 and answers[0].json["name"] == "x"
        assert s.api.process.wait(60) == 0
    finally:
        lock.close()
        s.stop()
