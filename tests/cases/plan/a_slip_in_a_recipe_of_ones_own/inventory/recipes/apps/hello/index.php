<?php echo {{ vars.greting | php }};
