# {{ managed }}
export EDITOR=vi LESS=-R HISTTIMEFORMAT='%F %T '
umask 027
