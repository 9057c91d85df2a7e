<?php
// Written by paquerette at every run. Settings of your own belong in local.php beside this file.
if ( !defined( 'MEDIAWIKI' ) ) {
	exit;
}
$wgSitename = {{ vars.title | php }};
$wgMetaNamespace = {{ vars.title | replace(' ', '_') | php }};
$wgServer = 'https://{{ instance.domain }}';
$wgScriptPath = '';
$wgArticlePath = '/wiki/$1';
$wgResourceBasePath = '';
$wgLanguageCode = {{ vars.lang | php }};
$wgLocaltimezone = '{{ vars.timezone }}';
$wgEmergencyContact = {{ vars.admin_email | php }};
$wgPasswordSender = {{ (host.mail_sender or vars.admin_email) | php }};
$wgDefaultSkin = '{{ vars.skin }}';
$wgDBtype = '{{ 'mysql' if database.engine == 'mariadb' else 'postgres' }}';
$wgDBserver = '{{ 'localhost:' ~ database.socket if database.engine == 'mariadb' else database.socket }}';
$wgDBname = '{{ database.name }}';
$wgDBuser = '{{ database.user }}';
$wgDBpassword = '';
{% if database.engine == 'mariadb' %}
$wgDBTableOptions = 'ENGINE=InnoDB, DEFAULT CHARSET=binary';
{% else %}
$wgDBport = '5432';
$wgDBmwschema = 'mediawiki';
{% endif %}
$wgSecretKey = {{ derive('secret_key') | php }};
$wgUpgradeKey = {{ derive('upgrade_key') | php }};
$wgMainCacheType = CACHE_ACCEL;
$wgSessionCacheType = CACHE_DB;
$wgCacheDirectory = '{{ paths.tmp }}';
$wgEnableUploads = true;
$wgUploadDirectory = '{{ kept.images }}';
$wgUploadPath = '/images';
// jobs are cron's, not a visitor's
$wgJobRunRate = 0;
$wgGroupPermissions['*']['createaccount'] = {{ 'true' if vars.register else 'false' }};
$wgGroupPermissions['*']['edit'] = {{ 'true' if vars.access == 'open' else 'false' }};
$wgGroupPermissions['*']['read'] = {{ 'false' if vars.access == 'closed' else 'true' }};
foreach ( [ 'Vector', 'MonoBook', 'Timeless', 'MinervaNeue' ] as $skin ) {
	if ( is_file( "$IP/skins/$skin/skin.json" ) ) {
		wfLoadSkin( $skin );
	}
}
{% for extension in vars.extensions %}
wfLoadExtension( '{{ extension }}' );
{% endfor %}
require __DIR__ . '/local.php';
