#!/usr/bin/env python3
# Ends with 0 where an address answers 200 in time, with a text that matches: what the roles before these tools had monit call for each
# application, written anew. Redirections are followed, and certificates and their names are checked, as theirs does.
import argparse
import re
import sys
import urllib.request

wanted = argparse.ArgumentParser()
wanted.add_argument('url')
wanted.add_argument('-c', dest='contains')
wanted.add_argument('-t', dest='timeout', type=float, default=1.0)
wanted = wanted.parse_args()
try:
    with urllib.request.urlopen(wanted.url, timeout=wanted.timeout) as answer:
        text = answer.read().decode(errors='replace')
        if answer.status != 200:
            raise Exception(f'status {answer.status}')
    if wanted.contains and not re.search(wanted.contains, text):
        raise Exception(f'without {wanted.contains}')
except Exception as error:
    print(error)
    sys.exit(1)
print('ok')
