"""The application that an instance of `wsgi` is until it names its own."""

import os

from flask import Flask

app = Flask(__name__)
app.json.sort_keys = False


@app.route("/")
def hello():
    return {
        "status": "ok",
        "instance": {{ instance.id | to_json }},
        "message": "the default application of {{ instance.id }} runs",
        "version": {{ instance.version | to_json }},
        "database": os.environ["DATABASE_ENGINE"],
    }
