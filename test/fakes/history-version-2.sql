-- A history of version 2 of the file, as that version wrote it: the first run has ended, the second was killed with a removal in hand and one to
-- come. It is never changed: later versions must still read it.
PRAGMA auto_vacuum = incremental;
PRAGMA journal_mode = wal;
BEGIN;
CREATE TABLE clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  history_ms INTEGER NOT NULL,
  wall_at INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  uptime_ms INTEGER NOT NULL);
INSERT INTO clock VALUES(1,3600000,1793494800000,'boot-1',867600000);
CREATE TABLE run_holder (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  since_at INTEGER NOT NULL
);
INSERT INTO run_holder VALUES(1,4711,'node-1',1793491200000);
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  began_ms INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  state TEXT NOT NULL,
  mode TEXT NOT NULL,
  version TEXT NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  runtime_endpoint TEXT NOT NULL,
  command TEXT NOT NULL,
  message TEXT,
  runtime TEXT,
  scanner TEXT,
  summary TEXT,
  filesystem TEXT
);
INSERT INTO run VALUES(1,3600000,1793491200000,1793494800000,'completed','automatic','1.2.3',4711,'node-1','ada','unix:///run/containerd/containerd.sock','["clean","--yes"]',NULL,'{"name":"containerd","version":"2.2.3"}','{"name":"trivy","version":"0.74.0","databaseUpdatedAt":"2026-10-31T06:00:00Z","databaseMark":"files 1"}',NULL,NULL);
INSERT INTO run VALUES(2,3600000,1793494800000,NULL,'running','automatic','1.2.3',4711,'node-1','ada','unix:///run/containerd/containerd.sock','["clean","--yes"]',NULL,'{"name":"containerd","version":"2.2.3"}','{"name":"trivy","version":"0.74.0","databaseUpdatedAt":"2026-10-31T06:00:00Z","databaseMark":"files 1"}',NULL,NULL);
CREATE TABLE image (
  key INTEGER PRIMARY KEY,
  id_key TEXT NOT NULL UNIQUE,
  id TEXT NOT NULL);
INSERT INTO image VALUES(1,'0000000000000000000000000000000000000000000000000000000000000001','sha256:0000000000000000000000000000000000000000000000000000000000000001');
INSERT INTO image VALUES(2,'0000000000000000000000000000000000000000000000000000000000000002','sha256:0000000000000000000000000000000000000000000000000000000000000002');
INSERT INTO image VALUES(3,'0000000000000000000000000000000000000000000000000000000000000003','sha256:0000000000000000000000000000000000000000000000000000000000000003');
CREATE TABLE image_name (
  name TEXT NOT NULL,
  image_key INTEGER NOT NULL REFERENCES image (key) ON DELETE CASCADE,
  PRIMARY KEY (name, image_key)
) WITHOUT ROWID;
INSERT INTO image_name VALUES('docker.io/library/image-1:1',1);
INSERT INTO image_name VALUES('docker.io/library/image-2:1',2);
INSERT INTO image_name VALUES('docker.io/library/image-3:1',3);
CREATE TABLE naming (
  key INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  repo_tags TEXT NOT NULL,
  repo_digests TEXT NOT NULL,
  size_bytes INTEGER NOT NULL
);
INSERT INTO naming VALUES(1,'nWVs8S-rgtOAJPlzEsKqiyJPXji2Znf5NNX61OH6ph0','["docker.io/library/image-1:1"]','[]',1001);
INSERT INTO naming VALUES(2,'zfCtewsFUHowPtD3hGTrtU5yD_-xyIsvt2fGqfwEPj0','["docker.io/library/image-2:1"]','[]',1002);
INSERT INTO naming VALUES(3,'1QkUqLgFBTcXFSXCYxZ-UUOFpqbM9GXqOBSD8ntwwwc','["docker.io/library/image-3:1"]','[]',1003);
CREATE TABLE reason (
  key INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  code TEXT NOT NULL,
  json TEXT,
  packed BLOB
);
INSERT INTO reason VALUES(1,'c6xczMddxiArJMckjsr96K0qgC7Dd3jTQwowaTCLDOs','vulnerable',NULL,X'28b52ffd648a06e50500c20921214085aa0ee8ee2c52159175d1e845d346a1974f3af24c5263032a1855c81886614017a36d331408cb40a0248d5da7eaab7df6069168ee3e5023e58abb0944881e8b2ca2dc7d4ab1293b90a57cb5673c7b773fc9c8eec99374770e780a8e1ec0f3a6b3efee1e4bb2c9717098bbc3786be1ded18c7046e8ec2c1b8ff29454757786d2732b13000640090da0300328a601946800751a40310da04403a8d3008a6900251aa06ec8e4603d700bb6c1707b70d8e0703c8336bbcd33d39b64fa');
INSERT INTO reason VALUES(2,'wrFLi4Rzg0ctM9LuJvDYimU_5yprgWRv4igfr37Bqes','pinned','{"code":"pinned","by":"runtime"}',NULL);
INSERT INTO reason VALUES(3,'D6b0xdgSYvMowp67sANX1uoHP_lW2gZChGSXpw_P04I','unused','{"code":"unused"}',NULL);
CREATE TABLE decision (
  run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  image_key INTEGER NOT NULL REFERENCES image (key),
  position INTEGER NOT NULL,
  naming_key INTEGER NOT NULL REFERENCES naming (key),
  outcome TEXT NOT NULL,
  reason_key INTEGER NOT NULL REFERENCES reason (key),
  estimated_bytes INTEGER NOT NULL,
  removal_state TEXT,
  removal_at INTEGER,
  removal_message TEXT,
  kept_by TEXT,
  reclaimed_bytes INTEGER NOT NULL,
  PRIMARY KEY (run_id, image_key)
) WITHOUT ROWID;
INSERT INTO decision VALUES(1,1,0,1,'remove',1,100,'removed',1793494800000,NULL,NULL,90);
INSERT INTO decision VALUES(1,2,1,2,'keep',2,0,NULL,NULL,NULL,NULL,0);
INSERT INTO decision VALUES(2,2,0,2,'remove',3,100,'in-hand',1793494800000,NULL,NULL,0);
INSERT INTO decision VALUES(2,3,1,3,'remove',3,100,'planned',NULL,NULL,NULL,0);
CREATE TABLE analysis (
  id_key TEXT NOT NULL,
  scanner_name TEXT NOT NULL,
  scanner_version TEXT NOT NULL,
  kept_ms INTEGER NOT NULL,
  image_id TEXT NOT NULL,
  recipe BLOB NOT NULL,
  PRIMARY KEY (id_key, scanner_name)
);
INSERT INTO analysis VALUES('0000000000000000000000000000000000000000000000000000000000000002','trivy','0.74.0',3600000,'sha256:0000000000000000000000000000000000000000000000000000000000000002',X'28b52ffd240841000072656369706520315d34b19b');
CREATE TABLE part (
  key INTEGER PRIMARY KEY,
  scanner_name TEXT NOT NULL,
  scanner_version TEXT NOT NULL,
  content_key TEXT NOT NULL,
  packed BLOB NOT NULL,
  UNIQUE (content_key, scanner_name, scanner_version)
);
INSERT INTO part VALUES(1,'trivy','0.74.0','layer-1',X'28b52ffd2412910000636f6e74656e74206f66206c617965722d31f646164d');
CREATE TABLE analysis_part (
  id_key TEXT NOT NULL,
  scanner_name TEXT NOT NULL,
  position INTEGER NOT NULL,
  part_key INTEGER NOT NULL REFERENCES part (key),
  PRIMARY KEY (id_key, scanner_name, position),
  FOREIGN KEY (id_key, scanner_name) REFERENCES analysis (id_key, scanner_name) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO analysis_part VALUES('0000000000000000000000000000000000000000000000000000000000000002','trivy',0,1);
CREATE TABLE scanner_version (
  identity TEXT PRIMARY KEY,
  version TEXT NOT NULL,
  told_ms INTEGER NOT NULL
);
INSERT INTO scanner_version VALUES('/usr/bin/trivy','0.74.0',3600000);
CREATE TABLE sighting (
  runtime_endpoint TEXT NOT NULL,
  id_key TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  first_seen_at INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  last_in_use_ms INTEGER,
  last_in_use_at INTEGER,
  PRIMARY KEY (runtime_endpoint, id_key)
) WITHOUT ROWID;
INSERT INTO sighting VALUES('unix:///run/containerd/containerd.sock','0000000000000000000000000000000000000000000000000000000000000002',0,1793491200000,0,1793491200000,0,1793491200000);
INSERT INTO sighting VALUES('unix:///run/containerd/containerd.sock','0000000000000000000000000000000000000000000000000000000000000003',0,1793491200000,0,1793491200000,NULL,NULL);
CREATE TABLE sighted_runtime (
  runtime_endpoint TEXT PRIMARY KEY,
  sighted_ms INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO sighted_runtime VALUES('unix:///run/containerd/containerd.sock',0);
CREATE TABLE scan_report (
  id_key TEXT NOT NULL,
  scanner_name TEXT NOT NULL,
  scanner_version TEXT NOT NULL,
  database_updated_at TEXT NOT NULL,
  database_mark TEXT NOT NULL,
  judged_ms INTEGER NOT NULL,
  judged_at INTEGER NOT NULL,
  json TEXT,
  packed BLOB,
  PRIMARY KEY (id_key, scanner_name)
);
INSERT INTO scan_report VALUES('0000000000000000000000000000000000000000000000000000000000000002','trivy','0.74.0','2026-10-31T06:00:00Z','files 1',3600000,1793494800000,'{"imageId":"sha256:0000000000000000000000000000000000000000000000000000000000000002","os":{"family":"alpine","name":"3.22","endOfLife":false},"count":0,"ids":"","packageNames":"","packageVersions":"","packageClasses":"","packages":"","fixedVersions":"","severities":"","statuses":""}',NULL);
CREATE INDEX run_by_state ON run (state);
CREATE INDEX image_name_by_image ON image_name (image_key);
CREATE INDEX decision_by_image ON decision (image_key);
CREATE INDEX decision_by_naming ON decision (naming_key);
CREATE INDEX decision_by_reason ON decision (reason_key);
CREATE INDEX analysis_part_by_part ON analysis_part (part_key);
CREATE INDEX sighting_by_image ON sighting (id_key);
PRAGMA user_version = 2;
PRAGMA application_id = 1229147208;
COMMIT;
