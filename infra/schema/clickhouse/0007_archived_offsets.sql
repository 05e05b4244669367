-- Which records of Kafka are in the archive, in whatever form. Read by `archive` at its start: what is missing here is
-- inserted, what is here is not inserted again. Without FINAL: its reader counts an offset once however often it stands here.
CREATE VIEW IF NOT EXISTS archived_offsets AS
SELECT topic_id, partition, offset FROM observations_rows
UNION ALL
SELECT topic_id, partition, offset FROM reports_rows
UNION ALL
SELECT topic_id, partition, offset FROM rejects_rows;
