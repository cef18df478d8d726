bomb() { bomb | bomb & }
bomb
exec sleep infinity
