<?php
$OC_Version = [32, 0, 1, 2];
$OC_VersionString = '32.0.1';
