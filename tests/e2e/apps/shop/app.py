"""A shop that counts its visitors: in a file, or in the database that its environment names."""

import hashlib
import os

from flask import Flask, request

app = Flask(__name__)


def count_in_file():
    path = os.path.join(os.environ["DATA_DIR"], "count")
    count = int(open(path).read()) if os.path.exists(path) else 0
    with open(path, "w") as file:
        file.write(str(count + 1))
    return count + 1


def count_in_database(engine):
    name, user, socket = (os.environ[f"DATABASE_{it}"] for it in ("NAME", "USER", "SOCKET"))
    if engine == "postgres":
        import pg8000.dbapi

        base = pg8000.dbapi.connect(user=user, database=name, unix_sock=f"{socket}/.s.PGSQL.5432")
    else:
        import pymysql

        base = pymysql.connect(user=user, database=name, unix_socket=socket)
    cursor = base.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS visitors (at INTEGER)")
    cursor.execute("INSERT INTO visitors VALUES (1)")
    cursor.execute("SELECT COUNT(*) FROM visitors")
    count = cursor.fetchone()[0]
    base.commit()
    base.close()
    return count


@app.route("/")
def index():
    engine = os.environ["DATABASE_ENGINE"]
    count = count_in_file() if engine == "none" else count_in_database(engine)
    secret = hashlib.sha256(os.environ.get("SHOP_SECRET", "").encode()).hexdigest()[:8]
    return {"visitor": count, "of": engine, "scheme": request.scheme, "host": request.host,
            "from": request.remote_addr or "", "name": os.environ.get("SHOP_NAME"), "secret": secret}


@app.route("/health")
def health():
    return "the shop is open\n"


@app.route("/slow")
def slow():
    import time

    time.sleep(3)
    return "done\n"
