<?php
// Written by paquerette at every run. Settings of your own belong in the wiki's own administration (local.php).
$conf['title'] = {{ vars.title | php }};
$conf['lang'] = {{ vars.lang | php }};
$conf['license'] = {{ vars.license | php }};
$conf['baseurl'] = {{ ("https://" ~ instance.domain) | php }};
$conf['useacl'] = 1;
$conf['authtype'] = 'authplain';
$conf['superuser'] = '@admin';
$conf['passcrypt'] = 'bcrypt';
$conf['disableactions'] = {{ ("" if vars.register else "register") | php }};
$conf['userewrite'] = {{ 1 if vars.nice_urls else 0 }};
$conf['securecookie'] = 1;
$conf['updatecheck'] = 0;
{% if host.mail_sender %}
$conf['mailfrom'] = {{ host.mail_sender | php }};
{% endif %}
