<?php
// Written by paquerette at every run.
$dolibarr_main_url_root='https://{{ instance.domain }}';
$dolibarr_main_document_root='{{ paths.current }}/htdocs';
$dolibarr_main_url_root_alt='/custom';
$dolibarr_main_document_root_alt='{{ paths.current }}/htdocs/custom';
$dolibarr_main_data_root='{{ paths.data }}/documents';
$dolibarr_main_db_type='{{ 'mysqli' if database.engine == 'mariadb' else 'pgsql' }}';
// its socket, by the name of the system's user
$dolibarr_main_db_host='{{ 'localhost' if database.engine == 'mariadb' else 'socket' }}';
$dolibarr_main_db_port='{{ '3306' if database.engine == 'mariadb' else '5432' }}';
$dolibarr_main_db_name='{{ database.name }}';
$dolibarr_main_db_user='{{ database.user }}';
$dolibarr_main_db_pass='';
$dolibarr_main_db_prefix='llx_';
{% if database.engine == 'mariadb' %}
$dolibarr_main_db_character_set='utf8mb4';
$dolibarr_main_db_collation='utf8mb4_unicode_ci';
{% else %}
$dolibarr_main_db_character_set='UTF8';
$dolibarr_main_db_collation='UTF8';
{% endif %}
$dolibarr_main_authentication='dolibarr';
$dolibarr_main_prod='1';
$dolibarr_main_force_https='0';
$dolibarr_main_restrict_os_commands='mariadb-dump, mariadb, mysqldump, mysql, pg_dump, pg_restore, clamdscan, clamdscan.exe';
$dolibarr_nocsrfcheck='0';
// what encrypts in the database: the same for ever
$dolibarr_main_instance_unique_id={{ derive('instance_unique_id') | php }};
$dolibarr_mailing_limit_sendbyweb='0';
$dolibarr_mailing_limit_sendbycli='0';
