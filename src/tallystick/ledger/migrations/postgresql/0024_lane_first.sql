-- Every table of lanes is keyed by the lane first, so that all of them can be distributed by it.
ALTER TABLE namespace_keys DROP CONSTRAINT namespace_keys_pkey, ADD PRIMARY KEY (lane, namespace);
