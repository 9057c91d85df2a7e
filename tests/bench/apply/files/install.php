<?php
// {{ managed }}
// What the page wp-admin/install.php does, without a browser. Notes at the end that it is done.
$_SERVER['HTTP_HOST'] = '{{ domain }}';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
define('WP_INSTALLING', true);
require '{{ base }}/www/{{ instance }}/kept/wp-config.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
// It would tell the administrator by mail, and this machine has nothing that sends any.
function wp_new_blog_notification($title, $url, $user, $password) {}
wp_install('{{ title }}', 'admin', '{{ admin_email }}', true, '', bin2hex(random_bytes(16)));
if (!is_blog_installed()) {
    fwrite(STDERR, "WordPress is not installed after all\n");
    exit(1);
}
file_put_contents('{{ base }}/www/{{ instance }}/kept/installed', '{{ version }}' . "\n");
