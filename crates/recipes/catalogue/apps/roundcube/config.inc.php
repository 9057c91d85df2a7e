<?php
// Written by paquerette at every run. Settings of your own belong in local.inc.php beside this file.
{% set schemes = {'none': '', 'starttls': 'tls://', 'tls': 'ssl://'} %}
$config = [];
$config['db_dsnw'] = '{{ 'mysql' if database.engine == 'mariadb' else 'pgsql' }}://{{ database.user }}@unix({{ database.socket }})/{{ database.name }}';
$config['imap_host'] = {{ (schemes[vars.imap_security] ~ vars.imap_host ~ ':' ~ vars.imap_port) | php }};
$config['smtp_host'] = {{ (schemes[vars.submission_security] ~ vars.submission_host ~ ':' ~ vars.submission_port) | php }};
$config['smtp_user'] = '{{ '%u' if vars.submission_login else '' }}';
$config['smtp_pass'] = '{{ '%p' if vars.submission_login else '' }}';
{% if vars.mail_domain is defined %}
$config['username_domain'] = '{{ vars.mail_domain }}';
$config['mail_domain'] = '{{ vars.mail_domain }}';
{% endif %}
// what encrypts passwords of mailboxes in sessions: the same for ever
$config['des_key'] = substr({{ derive('des_key') | php }}, 0, 24);
$config['product_name'] = {{ vars.title | php }};
$config['language'] = {{ vars.lang | php }};
$config['timezone'] = 'auto';
$config['plugins'] = [{% for plugin in vars.plugins %}'{{ plugin }}', {% endfor %}];
$config['skin'] = 'elastic';
$config['enable_installer'] = false;
$config['enable_spellcheck'] = false;
$config['max_message_size'] = '{{ vars.attachments_max }}';
$config['use_https'] = true;
$config['log_driver'] = 'file';
$config['log_dir'] = '{{ paths.data }}/logs/';
$config['log_logins'] = true;
$config['temp_dir'] = '{{ paths.tmp }}/';
require __DIR__ . '/local.inc.php';
