# Written by paquerette at every run: how {{ instance.id }} is run. systemd gives it the socket that it answers.
wsgi_app = {{ vars.entry | to_json }}
chdir = {{ (paths.current if instance.source in ['archive', 'git', 'directory'] else paths.home ~ '/hello') | to_json }}
workers = {{ vars.workers }}
threads = {{ vars.threads }}
timeout = {{ vars.request_timeout }}
umask = 0o027
# nobody but the web server reaches the socket
forwarded_allow_ips = "*"
# its log is the journal's, which names who asked without it
accesslog = None
control_socket_disable = True
