# acl.auth.php
# <?php exit()?>
# Don't modify the lines above
#
# page or namespace, @group or user, right (0 none, 1 read, 2 edit, 4 create, 8 upload, 16 delete)
{% if vars.access == "open" %}
*	@ALL	8
{% elif vars.access == "public" %}
*	@ALL	1
*	@user	8
{% else %}
*	@ALL	0
*	@user	8
{% endif %}
