<?php
// A stand-in for Dolibarr: its installer, and its page for who logs in. Nothing of Dolibarr's code is in it.
define('DOL_VERSION', '22.0.4');
