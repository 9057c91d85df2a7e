<?php
echo 'the installer';
