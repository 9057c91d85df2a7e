<?php
// {{ managed }}
/* Plugin Name: what an administrator of many blogs switches off */
add_filter('xmlrpc_enabled', '__return_false');
add_filter('the_generator', '__return_empty_string');
remove_action('wp_head', 'print_emoji_detection_script', 7);
