#!/bin/sh
# {{ managed }}
# What a morning's look at the machine tells
set -eu
df -h --output=target,pcent {{ base }}
uptime
systemctl --failed --no-legend
