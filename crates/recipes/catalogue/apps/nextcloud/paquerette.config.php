<?php
// Written by paquerette at every run: what stands here wins over config.php, which is yours and the application's.
$CONFIG = [
  'trusted_domains' => [{% for name in [instance.domain] + (instance.aliases | default([])) %}'{{ name }}', {% endfor %}],
  'overwrite.cli.url' => 'https://{{ instance.domain }}',
  'htaccess.IgnoreFrontController' => true,
  'setup_create_db_user' => false,
{% if database.engine == 'mariadb' %}
  'mysql.utf8mb4' => true,
{% endif %}
  'apps_paths' => [
    ['path' => OC::$SERVERROOT . '/apps', 'url' => '/apps', 'writable' => false],
    ['path' => '{{ kept.custom_apps }}', 'url' => '/custom_apps', 'writable' => true],
    // no apps, but what paquerette keeps beside the release: its check of its own files leaves such places out
    ['path' => OC::$SERVERROOT . '/.paquerette', 'url' => '/.paquerette', 'writable' => false],
  ],
  'appstoreenabled' => {{ 'true' if vars.app_store else 'false' }},
  'memcache.local' => '\OC\Memcache\APCu',
  'memcache.distributed' => '\OC\Memcache\Redis',
  'memcache.locking' => '\OC\Memcache\Redis',
  'redis' => ['host' => '{{ redis.socket }}', 'port' => 0],
  'tempdirectory' => '{{ paths.tmp }}',
  'logfile' => '{{ paths.data }}/nextcloud.log',
  'log_rotate_size' => 0,
{% if vars.timezone is defined %}
  'logtimezone' => '{{ vars.timezone }}',
  'default_timezone' => '{{ vars.timezone }}',
{% endif %}
  'default_language' => '{{ vars.lang | replace('-', '_') }}',
  'default_locale' => '{{ vars.locale }}',
{% if vars.region is defined %}
  'default_phone_region' => '{{ vars.region }}',
{% endif %}
  'maintenance_window_start' => 1,
  // new versions are installed by paquerette
  'updatechecker' => false,
  'upgrade.disable-web' => true,
{% if host.mail_sender %}
  'mail_smtpmode' => 'sendmail',
  'mail_from_address' => {{ host.mail_sender.split('@')[0] | php }},
  'mail_domain' => {{ host.mail_sender.split('@')[1] | php }},
{% endif %}
];
