"""Answers what ansible-core makes of inventory directories: one path a line in, one JSON line out.

`list` is what `ansible-inventory --list` prints, from its own command class. `values` is, for each host and each
of its variables, what `ansible -m debug -a var=NAME` resolves: `{"value": …}` or `{"error": "…"}`. An inventory
that Ansible refuses is `{"error": "…"}`. `patterns` is, for each line of a directory's `patterns.txt`, which hosts
`ansible PATTERN --list-hosts` names; null where it names none. `vault.txt` in a directory is the password of what ansible-vault encrypted there.
"""

import contextlib
import io
import json
import os
import sys

os.environ.update(
    ANSIBLE_CONFIG=os.path.join(os.path.dirname(os.path.abspath(__file__)), "ansible.cfg"),
    ANSIBLE_NOCOLOR="1",
    ANSIBLE_LOCALHOST_WARNING="false",
    ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true",
    ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
)

from ansible.cli.inventory import InventoryCLI  # noqa: E402
from ansible._internal._datatag._tags import TrustedAsTemplate  # noqa: E402
from ansible.errors import AnsibleError  # noqa: E402
from ansible.template import Templar  # noqa: E402
from ansible.vars.hostvars import HostVars  # noqa: E402


class Asked(InventoryCLI):
    """The command, keeping what it read."""

    def _play_prereqs(self):
        self.read = super()._play_prereqs()
        return self.read


def answer(directory):
    password = os.path.join(directory, "vault.txt")
    vault = ["--vault-password-file", password] if os.path.exists(password) else []
    command = Asked(["ansible-inventory", "-i", directory, "--list", *vault])
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            command.parse()
            command.run()
    except SystemExit:
        pass
    listed = json.loads(printed.getvalue())
    loader, inventory, manager = command.read
    # Makes itself known to the manager, as it does where tasks run.
    HostVars(inventory=inventory, variable_manager=manager, loader=loader)
    values = {}
    for host in inventory.get_hosts():
        variables = manager.get_vars(host=host)
        # As for a task.
        variables["vars"] = variables.copy()
        templar = Templar(loader=loader, variables=variables)
        names = listed["_meta"]["hostvars"].get(host.name, {})
        values[host.name] = {name: resolved(templar, name) for name in names}
    return {"list": listed, "values": values, "patterns": {line: chosen(inventory, line) for line in patterns(directory)}}


def patterns(directory):
    try:
        with open(os.path.join(directory, "patterns.txt"), encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def chosen(inventory, pattern):
    try:
        return sorted({str(host) for host in inventory.list_hosts(pattern)}) or None
    except AnsibleError:
        return None


def resolved(templar, name):
    try:
        # As the action plugin `debug` does it, but that an undefined variable stays an error.
        value = templar._engine.evaluate_expression(TrustedAsTemplate().tag(name))
        return {"value": json.loads(json.dumps(value, default=str))}
    except AnsibleError as error:
        return {"error": str(error).splitlines()[0]}


# Ansible keeps arguments, secrets and caches for the life of a process: each directory has one of its own.
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            said = answer(line.rstrip("\n"))
        except AnsibleError as error:
            said = {"error": str(error)}
        print(json.dumps(said), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"no answer for {line}")
