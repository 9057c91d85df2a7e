<?php
// Written by paquerette at every run. Settings of your own belong in {{ paths.data }}/local.php
require '{{ paths.data }}/local.php';
define( 'DB_NAME', '{{ database.name }}' );
define( 'DB_USER', '{{ database.user }}' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:{{ database.socket }}' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
$table_prefix = 'wp_';
define( 'WP_HOME', 'https://{{ instance.domain }}' );
define( 'WP_SITEURL', 'https://{{ instance.domain }}' );
{% for name in ['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] %}
define( '{{ name }}', {{ derive(name | lower) | php }} );
{% endfor %}
// new versions are installed by paquerette, code is never edited in a browser, and cron is cron's
define( 'WP_AUTO_UPDATE_CORE', false );
define( 'DISALLOW_FILE_EDIT', true );
define( 'DISALLOW_FILE_MODS', {{ 'false' if vars.file_mods else 'true' }} );
define( 'DISABLE_WP_CRON', true );
define( 'FORCE_SSL_ADMIN', true );
define( 'FS_METHOD', 'direct' );
define( 'WP_TEMP_DIR', '{{ paths.tmp }}' );
if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', '{{ paths.current }}/' );
}
require_once ABSPATH . 'wp-settings.php';
