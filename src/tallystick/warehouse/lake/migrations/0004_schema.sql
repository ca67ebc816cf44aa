-- The lake's schema, as far as a program that had the lease has seen it: only programs that know it take the lease.
ALTER TABLE tallystick_hits.lease ADD COLUMN schema integer NOT NULL DEFAULT 0;
