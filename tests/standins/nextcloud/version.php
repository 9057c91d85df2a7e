<?php
$OC_VersionString = '32.0.1';
