-- what the sensors send
ok BOOLEAN,
n BIGINT,
`geo.city` STRING, seen timestamp
