-- What was archived when, and whether it lies in no area: for counts over the last minutes. Without FINAL, which would cost as
-- much as the day is long: its readers count a record (topic, partition, offset) once however often it stands here.
CREATE VIEW IF NOT EXISTS archived_records AS
SELECT topic_id, partition, offset, appended_at, empty(area_codes) AS nowhere FROM observations_rows
UNION ALL
SELECT topic_id, partition, offset, appended_at, empty(area_codes) AS nowhere FROM reports_rows;
