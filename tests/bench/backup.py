"""A day of backups, three ways, on one machine: pq-backup, plain restic with the same parts, and the old way

usage: backup.py ROUNDS RESTIC SCALE    ROUNDS: how often each is measured, SCALE: 1 for 2 GB

Measured is what processes and their children took of the processor (user and system); the database server itself, which
does the same for each, is not. Each day is: dump the database, store it and the files; ours and plain restic also copy that
away. The last line is the result.
"""

import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS, RESTIC, SCALE = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
TOP = Path("/srv/bench")
SET, KEY = TOP / "set", "/etc/paquerette/backup.key"
DUMP = [
    "mariadb-dump", "--single-transaction", "--quick", "--order-by-primary", "--routines", "--events", "--triggers", "--hex-blob",
    "--skip-dump-date", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--", "bench",
]


def make_set():
    """25,000 small files, some large ones, and a table; half of it is text, half does not compress."""
    chance = random.Random(7)
    words = [chance.randbytes(4).hex() for _ in range(4000)]
    shutil.rmtree(TOP, ignore_errors=True)
    for n in range(int(25_000 * SCALE)):
        path = SET / f"small/{n % 250:03}/{n}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = chance.randrange(200, 40_000)
        path.write_text(" ".join(chance.choices(words, k=size // 9)))
    for n in range(int(60 * SCALE)):
        path = SET / f"large/{n}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(20 << 20))
    rows = int(1_200_000 * SCALE)
    table = "CREATE DATABASE bench; USE bench; CREATE TABLE t (n INTEGER PRIMARY KEY, at INTEGER, words VARCHAR(300) NOT NULL);"
    sql(f"DROP DATABASE IF EXISTS bench; {table}")
    sql(f"USE bench; INSERT INTO t SELECT seq, seq * 7, CONCAT(MD5(seq), ' ', SHA2(seq, 256), ' ', REPEAT(MD5(seq * 3), 2)) FROM seq_1_to_{rows}")


def change_set(day):
    """Two of a hundred files are others, one is new; as an application writes, a hundredth of the rows is new, and some of the newest are others."""
    chance = random.Random(day)
    files = sorted(SET.glob("small/*/*.txt"))
    for path in chance.sample(files, len(files) // 50):
        path.write_text(path.read_text() + f" changed on day {day}")
    (SET / f"large/new-{day}.bin").write_bytes(chance.randbytes(20 << 20))
    rows, new = int(1_200_000 * SCALE), int(12_000 * SCALE)
    sql(f"USE bench; REPLACE INTO t SELECT {rows} + {day} * {new} + seq, {day}, CONCAT(MD5(seq), ' ', SHA2(seq + {day}, 256)) FROM seq_1_to_{new}")
    sql(f"USE bench; UPDATE t SET words = CONCAT('day {day} ', words) WHERE n > {rows} * 0.95 AND n % 20 = 0")


def sql(text):
    subprocess.run(["mariadb"], input=text, text=True, check=True)


def cpu(*commands, env=None):
    """Seconds of the processor that these take."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for argv in commands:
        subprocess.run(argv, check=True, env=env, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def size(path):
    return int(subprocess.run(["du", "-sB1", path], check=True, capture_output=True, text=True).stdout.split()[0])


def ours():
    """pq-backup, as cron calls it."""
    shutil.rmtree(TOP / "ours", ignore_errors=True)
    shutil.rmtree("/var/lib/paquerette/backup", ignore_errors=True)
    shutil.rmtree("/var/cache/paquerette/restic", ignore_errors=True)
    out = TOP / "restored"
    run, copy = ["pq-backup", "run", "bench", "--quiet"], ["pq-backup", "copy", "--quiet"]
    took = {"first": cpu(run), "unchanged": cpu(run)}
    subprocess.run(copy, check=True)
    before = size(TOP / "ours/away")
    change_set(1)
    took["changed"] = cpu(run)
    took["copy"] = cpu(copy)
    sent = size(TOP / "ours/away") - before
    took["restore"] = cpu(["pq-backup", "restore", "bench", "--into", str(out), "--text"])
    shutil.rmtree(out)
    return took, sent, size(TOP / "ours/local")


def plain():
    """restic, called as its manual has it: the same two snapshots, the same copy."""
    shutil.rmtree(TOP / "plain", ignore_errors=True)
    cache = TOP / "plain-cache"
    shutil.rmtree(cache, ignore_errors=True)
    env = {**os.environ, "RESTIC_REPOSITORY": str(TOP / "plain/local"), "RESTIC_PASSWORD_FILE": KEY, "RESTIC_CACHE_DIR": str(cache)}
    away = {**env, "RESTIC_REPOSITORY": str(TOP / "plain/away")}
    source = ["--from-repo", str(TOP / "plain/local"), "--from-password-file", KEY]
    dump = [RESTIC, "--json", "backup", "--stdin-from-command", "--stdin-filename", "/bench.sql", "--", *DUMP]
    files = [RESTIC, "--json", "backup", str(SET)]
    subprocess.run([RESTIC, "-q", "init"], check=True, env=env)
    took = {"first": cpu(dump, files, env=env), "unchanged": cpu(dump, files, env=env)}
    subprocess.run([RESTIC, "-q", "init", *source, "--copy-chunker-params"], check=True, env=away)
    subprocess.run([RESTIC, "-q", "copy", *source], check=True, env=away)
    change_set(2)
    took["changed"] = cpu(dump, files, env=env)
    took["copy"] = cpu([RESTIC, "-q", "copy", *source], env=away)
    out = TOP / "restored"
    took["restore"] = cpu(
        [RESTIC, "--json", "restore", "latest", "--path", str(SET), "--sparse", "--target", str(out)],
        ["sh", "-c", f"{RESTIC} dump --path /bench.sql latest /bench.sql > {TOP}/dump.sql"],
        env=env,
    )
    shutil.rmtree(out)
    (TOP / "dump.sql").unlink()
    return took


def old():
    """The old way: a dump, rsync into one directory, a copy for the weekday, all of it in one compressed archive that is sent."""
    home = TOP / "old"
    shutil.rmtree(home, ignore_errors=True)
    (home / "prod").mkdir(parents=True)
    took, sent = [], 0
    for day, weekday in ((3, "monday"), (4, "tuesday"), (5, "wednesday")):
        change_set(day)
        archive = home / "sent.tar.gz"
        took.append(cpu(
            ["sh", "-c", f"{' '.join(DUMP)} > {home}/prod/bench.sql"],
            ["rsync", "-a", "--delete", str(SET), str(home / "prod")],
            ["rsync", "-a", "--delete", f"{home}/prod/", str(home / weekday)],
            ["tar", "czf", str(archive), "-C", str(home), "prod"],
        ))
        sent = archive.stat().st_size
        archive.unlink()
    return statistics.median(took), sent, size(home) + sent


def main():
    Path("/etc/paquerette/backup.d").mkdir(parents=True, exist_ok=True)
    Path(KEY).write_text("Vq3tJ8wPzL5mXn2RcY7hKd4sGf9bTa6E\n")
    os.chmod(KEY, 0o600)
    time = '"0 3 * * *"'
    Path("/etc/paquerette/backup.yml").write_text(
        f"schedule: {{ run: {time}, copy: {time}, verify: {time}, forget: {time}, rehearse: {time} }}\n"
        "retention: { daily: 7, weekly: 5, monthly: 12 }\n"
        f"targets:\n  - {{ name: local, url: {TOP}/ours/local, password_file: {KEY} }}\n"
        f"  - {{ name: away, url: {TOP}/ours/away, password_file: {KEY} }}\n"
        f"program: {RESTIC}\nmax_age: 26h\nkeep_free: 1\n"
    )
    Path("/etc/paquerette/backup.d/bench.yml").write_text(
        f"owner: bench\npaths: {{ include: [{SET}] }}\ndatabases: [{{ engine: mariadb, name: bench }}]\n"
    )
    make_set()
    print(f"set: {size(SET) / 1e6:.0f} MB in {sum(1 for _ in SET.rglob('*')):,} entries, and a table", flush=True)
    phases = ["first", "unchanged", "changed", "copy", "restore"]
    taken = {"ours": [], "plain": []}
    for n in range(ROUNDS):
        took, sent, stored = ours()
        taken["ours"].append(took)
        taken["plain"].append(plain())
        print(f"round {n + 1}: {json.dumps({who: {k: round(v, 2) for k, v in took[-1].items()} for who, took in taken.items()})}", flush=True)
    old_cpu, old_sent, old_stored = old()
    median = {who: {phase: statistics.median(it[phase] for it in took) for phase in phases} for who, took in taken.items()}
    print("| | first | unchanged | changed | copy | restore |\n|---|---|---|---|---|---|")
    for who, name in (("ours", "pq-backup"), ("plain", "plain restic")):
        print(f"| {name}, CPU s | " + " | ".join(f"{median[who][phase]:.2f}" for phase in phases) + " |")
    print(f"| the old way, CPU s a day | | | {old_cpu:.2f} | | |")
    four = ["first", "unchanged", "changed", "restore"]
    overs = [sum(o[p] for p in four) / sum(r[p] for p in four) * 100 - 100 for o, r in zip(taken["ours"], taken["plain"])]
    daily = median["ours"]["changed"] + median["ours"]["copy"]
    print(
        f"result: over_restic_pct={statistics.median(overs):.2f} old_cpu_ratio={old_cpu / daily:.1f} old_bytes_ratio={old_sent / sent:.1f}"
        f" stored_ratio={old_stored / stored:.1f}"
    )


main()
