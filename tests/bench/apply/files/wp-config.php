<?php
// {{ managed }}
define('DB_NAME', '{{ instance }}');
define('DB_USER', '{{ instance }}');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:/run/mysqld/mysqld.sock');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
// The benchmark's machine answers nobody outside, and is thrown away: these are no secrets.
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT',
          'LOGGED_IN_SALT', 'NONCE_SALT'] as $name) {
    define($name, hash('sha256', 'bench ' . $name));
}
$table_prefix = 'wp_';
define('WP_HOME', 'https://{{ domain }}');
define('WP_SITEURL', 'https://{{ domain }}');
define('WP_CONTENT_DIR', '{{ base }}/www/{{ instance }}/current/wp-content');
define('DISALLOW_FILE_MODS', true);
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('WP_DEBUG', false);
if (!defined('ABSPATH')) {
    define('ABSPATH', '{{ base }}/www/{{ instance }}/current/');
}
require_once ABSPATH . 'wp-settings.php';
