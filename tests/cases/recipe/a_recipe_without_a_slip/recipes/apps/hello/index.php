<?php echo {{ vars.greeting | php }};
