-- What an alert rests on: the records that raised it, oldest first (topic id as 32 hex digits, partition, offset), and how soon and how sure
-- (Common Alerting Protocol).
ALTER TABLE alerts_rows ADD COLUMN IF NOT EXISTS urgency LowCardinality(String) DEFAULT 'immediate';
ALTER TABLE alerts_rows ADD COLUMN IF NOT EXISTS certainty LowCardinality(String) DEFAULT 'observed';
ALTER TABLE alerts_rows ADD COLUMN IF NOT EXISTS evidence Array(String);
CREATE OR REPLACE VIEW alerts AS SELECT * FROM alerts_rows FINAL;
