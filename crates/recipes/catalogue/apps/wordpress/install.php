<?php
// Written by paquerette at every run: `is-installed` looks, `install` makes tables and the first user, whose password is its input;
// `is-current` looks whether the tables are of this release, `migrate` makes them so.
define( 'WP_INSTALLING', true );
$_SERVER['HTTP_HOST'] = '{{ instance.domain }}';
$_SERVER['HTTPS'] = 'on';
require '{{ paths.current }}/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
if ( in_array( $argv[1] ?? '', array( 'is-current', 'migrate' ), true ) ) {
	$is_current = static fn() => (int) __get_option( 'db_version' ) === (int) $GLOBALS['wp_db_version'];
	if ( 'migrate' === $argv[1] && ! $is_current() ) {
		wp_upgrade();
	}
	exit( $is_current() ? 0 : 1 );
}
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
