<?php
// Written by paquerette at every run: `is-installed` looks, `install` makes tables and the first user, whose password is its input.
define( 'WP_INSTALLING', true );
$_SERVER['HTTP_HOST'] = '{{ instance.domain }}';
$_SERVER['HTTPS'] = 'on';
require '{{ paths.current }}/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
// its users are made last
$installed = is_blog_installed() && get_user_by( 'login', {{ vars.superuser | php }} );
if ( 'install' !== ( $argv[1] ?? '' ) ) {
	exit( $installed ? 0 : 1 );
}
if ( ! $installed ) {
	wp_install(
		{{ vars.title | php }},
		{{ vars.superuser | php }},
		{{ vars.admin_email | php }},
		{{ 'true' if vars.indexed else 'false' }},
		'',
		trim( stream_get_contents( STDIN ) ),
		{{ vars.lang | php }}
	);
}
