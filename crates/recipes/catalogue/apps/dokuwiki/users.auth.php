# users.auth.php
# <?php exit()?>
# Don't modify the lines above
#
# login:passwordhash:Real Name:email:groups,comma,separated

{{ vars.superuser }}:{{ derive("admin") | htpasswd }}:{{ vars.superuser }}:{{ vars.admin_email }}:admin,user
