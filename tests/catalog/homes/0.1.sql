BEGIN TRANSACTION;
CREATE TABLE checkpoint_permissions (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	project_id VARCHAR(128), 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "checkpoint_permissions" VALUES(1,'cp_lNlT6stHNEOiUpe3mH6kELve','org-M84i62i9204wYW5TSud8Asot',1,0,'proj_1','ft:builtin-chat:personal:shop:a4d54e64:ckpt-step-2','{"id":"cp_lNlT6stHNEOiUpe3mH6kELve","object":"checkpoint.permission","created_at":1795689428,"project_id":"proj_1"}');
CREATE TABLE checkpoints (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "checkpoints" VALUES(1,'ftckpt_3ee54d1ee923ad12ae76eae6','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftckpt_3ee54d1ee923ad12ae76eae6","object":"fine_tuning.job.checkpoint","created_at":1795689420,"fine_tuned_model_checkpoint":"ft:builtin-chat:personal:shop:a4d54e64:ckpt-step-2","fine_tuning_job_id":"ftjob-M9A7Tc1AFFRQBWzLojz167VE","metrics":{"step":2.0,"train_loss":4.77182223785545,"train_mean_token_accuracy":0.21800947867298578,"valid_loss":null,"valid_mean_token_accuracy":null,"full_valid_loss":null,"full_valid_mean_token_accuracy":null},"step_number":2}');
INSERT INTO "checkpoints" VALUES(2,'ftckpt_c76a234653f7b567db6d7e3a','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftckpt_c76a234653f7b567db6d7e3a","object":"fine_tuning.job.checkpoint","created_at":1795689420,"fine_tuned_model_checkpoint":"ft:builtin-chat:personal:shop:a4d54e64:ckpt-step-4","fine_tuning_job_id":"ftjob-M9A7Tc1AFFRQBWzLojz167VE","metrics":{"step":4.0,"train_loss":4.234025867707139,"train_mean_token_accuracy":0.23394495412844038,"valid_loss":null,"valid_mean_token_accuracy":null,"full_valid_loss":null,"full_valid_mean_token_accuracy":null},"step_number":4}');
CREATE TABLE events (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "events" VALUES(1,'ftevent-a88a1eeba39857a2c95a7b62','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-a88a1eeba39857a2c95a7b62","object":"fine_tuning.job.event","created_at":1795689414,"level":"info","message":"Created fine-tuning job: ftjob-M9A7Tc1AFFRQBWzLojz167VE","type":"message","data":{}}');
INSERT INTO "events" VALUES(2,'ftevent-389f84f5be5bd5abfd8e9715','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-389f84f5be5bd5abfd8e9715","object":"fine_tuning.job.event","created_at":1795689414,"level":"info","message":"Validating training file: file-cVmM1XK3z2BbxsfXC7gY1X9U","type":"message","data":{}}');
INSERT INTO "events" VALUES(3,'ftevent-0d54e1efc559c8dd94518e60','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-0d54e1efc559c8dd94518e60","object":"fine_tuning.job.event","created_at":1795689414,"level":"info","message":"Training file: The file has 12 examples; improvements show from 50 to 100 on. Add good examples, or look at the answers before you trust them.","type":"message","data":{"finding":{"code":"few_examples","severity":"advice","message":"The file has 12 examples; improvements show from 50 to 100 on.","remedy":"Add good examples, or look at the answers before you trust them.","line":null,"path":"$","offset":null,"excerpt":"","lines":[],"count":1,"param":"training_file"}}}');
INSERT INTO "events" VALUES(4,'ftevent-e846ece0cd86349994483543','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-e846ece0cd86349994483543","object":"fine_tuning.job.event","created_at":1795689414,"level":"info","message":"Files validated, moving job to queued state","type":"message","data":{}}');
INSERT INTO "events" VALUES(5,'ftevent-6ed418f5a4ee8516ea5bb5c9','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-6ed418f5a4ee8516ea5bb5c9","object":"fine_tuning.job.event","created_at":1795689415,"level":"info","message":"Fine-tuning job started","type":"message","data":{}}');
INSERT INTO "events" VALUES(6,'ftevent-cae28377027fd90f8c94352e','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-cae28377027fd90f8c94352e","object":"fine_tuning.job.event","created_at":1795689419,"level":"info","message":"What the rows of a step begin with: computed once, 1.8x fewer tokens.","type":"message","data":{"plan":{"tokens":1029,"computed":565,"shared":0}}}');
INSERT INTO "events" VALUES(7,'ftevent-a78a6d458dac4a589a8ea2a0','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-a78a6d458dac4a589a8ea2a0","object":"fine_tuning.job.event","created_at":1795689419,"level":"info","message":"Estimate: 4 steps in 0:01 ± 0:00, 1,546 tokens, 0.48 GiB at most","type":"message","data":{"estimate":{"steps":4,"seconds":1.218185729814094,"seconds_error":0.3654557189442282,"peak_bytes":519544832,"trained_tokens":1546,"cost":null}}}');
INSERT INTO "events" VALUES(8,'ftevent-a099703c093f6ad48c5dad4b','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-a099703c093f6ad48c5dad4b","object":"fine_tuning.job.event","created_at":1795689419,"level":"info","message":"Step 1/4: training loss=4.47","type":"metrics","data":{"train_loss":4.468171161154042,"train_mean_token_accuracy":0.20652173913043478,"step":1,"total_steps":4,"trained_tokens":369,"tokens_per_second":2040.1017436845646}}');
INSERT INTO "events" VALUES(9,'ftevent-c88ed6624ca79ce4d1c78b75','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-c88ed6624ca79ce4d1c78b75","object":"fine_tuning.job.event","created_at":1795689420,"level":"info","message":"Step 2/4: training loss=4.77","type":"metrics","data":{"train_loss":4.77182223785545,"train_mean_token_accuracy":0.21800947867298578,"step":2,"total_steps":4,"trained_tokens":773,"tokens_per_second":2202.7685251161024}}');
INSERT INTO "events" VALUES(10,'ftevent-8456fee54ff5e023532527a4','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-8456fee54ff5e023532527a4","object":"fine_tuning.job.event","created_at":1795689420,"level":"info","message":"Checkpoint created at step 2","type":"message","data":{}}');
INSERT INTO "events" VALUES(11,'ftevent-aa4a75b6454f905afdba2dbc','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-aa4a75b6454f905afdba2dbc","object":"fine_tuning.job.event","created_at":1795689420,"level":"info","message":"Step 3/4: training loss=4.44","type":"metrics","data":{"train_loss":4.443154889984993,"train_mean_token_accuracy":0.22033898305084745,"step":3,"total_steps":4,"trained_tokens":1130,"tokens_per_second":1996.9588274848718}}');
INSERT INTO "events" VALUES(12,'ftevent-ea9d86c7d98320079efc7e34','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-ea9d86c7d98320079efc7e34","object":"fine_tuning.job.event","created_at":1795689420,"level":"info","message":"Step 4/4: training loss=4.23","type":"metrics","data":{"train_loss":4.234025867707139,"train_mean_token_accuracy":0.23394495412844038,"step":4,"total_steps":4,"trained_tokens":1546,"tokens_per_second":2363.3384373464314}}');
INSERT INTO "events" VALUES(13,'ftevent-bd1202b89227459aded17cb3','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-bd1202b89227459aded17cb3","object":"fine_tuning.job.event","created_at":1795689420,"level":"info","message":"Checkpoint created at step 4","type":"message","data":{}}');
INSERT INTO "events" VALUES(14,'ftevent-5b8fe846d2ed9db8fb1597ee','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-5b8fe846d2ed9db8fb1597ee","object":"fine_tuning.job.event","created_at":1795689421,"level":"info","message":"Estimated: 4 steps in 0:01, 1,546 tokens, 0.48 GiB at most. In fact: 4 steps in 0:02, 1,546 tokens, 0.54 GiB at most","type":"message","data":{"estimate":{"steps":4,"seconds":1.218185729814094,"seconds_error":0.3654557189442282,"peak_bytes":519544832,"trained_tokens":1546,"cost":null},"fact":{"steps":4,"seconds":1.6691967470001146,"seconds_error":0.0,"peak_bytes":577187840,"trained_tokens":1546,"cost":null}}}');
INSERT INTO "events" VALUES(15,'ftevent-8eea160ed832ce2eef1fde34','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-8eea160ed832ce2eef1fde34","object":"fine_tuning.job.event","created_at":1795689428,"level":"info","message":"New fine-tuned model created: ft:builtin-chat:personal:shop:a4d54e64","type":"message","data":{}}');
INSERT INTO "events" VALUES(16,'ftevent-0162e5c30479bbc1b13b1d5e','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','{"id":"ftevent-0162e5c30479bbc1b13b1d5e","object":"fine_tuning.job.event","created_at":1795689428,"level":"info","message":"The job has successfully completed","type":"message","data":{}}');
INSERT INTO "events" VALUES(17,'ftevent-3cf181efa7b35cc2d62f2b22','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh','{"id":"ftevent-3cf181efa7b35cc2d62f2b22","object":"fine_tuning.job.event","created_at":1795689428,"level":"info","message":"Created fine-tuning job: ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh","type":"message","data":{}}');
INSERT INTO "events" VALUES(18,'ftevent-7d1804e9bffca84c5d9f7cce','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh','{"id":"ftevent-7d1804e9bffca84c5d9f7cce","object":"fine_tuning.job.event","created_at":1795689428,"level":"info","message":"Validating training file: file-cOaPwA2e5fEFvWDKwcD712Te","type":"message","data":{}}');
INSERT INTO "events" VALUES(19,'ftevent-910cf4bc2179aa0c56e8cab6','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh','{"id":"ftevent-910cf4bc2179aa0c56e8cab6","object":"fine_tuning.job.event","created_at":1795689428,"level":"error","message":"Training file: Training file has 3 example(s), but must have at least 10 examples. Add examples: 50 to 100 good ones show whether tuning helps.","type":"message","data":{"finding":{"code":"invalid_n_examples","severity":"error","message":"Training file has 3 example(s), but must have at least 10 examples.","remedy":"Add examples: 50 to 100 good ones show whether tuning helps.","line":null,"path":"$","offset":null,"excerpt":"","lines":[],"count":1,"param":"training_file"}}}');
INSERT INTO "events" VALUES(20,'ftevent-19c2a3fd072c659c1e20b6d6','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh','{"id":"ftevent-19c2a3fd072c659c1e20b6d6","object":"fine_tuning.job.event","created_at":1795689428,"level":"error","message":"The job failed: Training file has 3 example(s), but must have at least 10 examples","type":"message","data":{}}');
INSERT INTO "events" VALUES(21,'ftevent-fd18f1815c2c3f7a64c4d2be','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-TSapIXkbAl98Ld8OcbKckBDG','{"id":"ftevent-fd18f1815c2c3f7a64c4d2be","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Created fine-tuning job: ftjob-TSapIXkbAl98Ld8OcbKckBDG","type":"message","data":{}}');
INSERT INTO "events" VALUES(22,'ftevent-54174c20155e36263113a8ac','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-TSapIXkbAl98Ld8OcbKckBDG','{"id":"ftevent-54174c20155e36263113a8ac","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Fine-tuning job cancelled","type":"message","data":{}}');
INSERT INTO "events" VALUES(23,'ftevent-ca4a553952b19f273ea99593','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-HDyoXzlUXOwVyKfgcajQJd9t','{"id":"ftevent-ca4a553952b19f273ea99593","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Created fine-tuning job: ftjob-HDyoXzlUXOwVyKfgcajQJd9t","type":"message","data":{}}');
INSERT INTO "events" VALUES(24,'ftevent-9f7f69bea2476a6ea38c7b08','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-FiXAjZy4pscoQc1oIlyHK6np','{"id":"ftevent-9f7f69bea2476a6ea38c7b08","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Created fine-tuning job: ftjob-FiXAjZy4pscoQc1oIlyHK6np","type":"message","data":{}}');
INSERT INTO "events" VALUES(25,'ftevent-fd6a2463d3f59cc42a83a063','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-HDyoXzlUXOwVyKfgcajQJd9t','{"id":"ftevent-fd6a2463d3f59cc42a83a063","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Validating training file: file-cVmM1XK3z2BbxsfXC7gY1X9U","type":"message","data":{}}');
INSERT INTO "events" VALUES(26,'ftevent-b0113641b528a4f887a01cb0','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-HDyoXzlUXOwVyKfgcajQJd9t','{"id":"ftevent-b0113641b528a4f887a01cb0","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Training file: The file has 12 examples; improvements show from 50 to 100 on. Add good examples, or look at the answers before you trust them.","type":"message","data":{"finding":{"code":"few_examples","severity":"advice","message":"The file has 12 examples; improvements show from 50 to 100 on.","remedy":"Add good examples, or look at the answers before you trust them.","line":null,"path":"$","offset":null,"excerpt":"","lines":[],"count":1,"param":"training_file"}}}');
INSERT INTO "events" VALUES(27,'ftevent-fb33ef55fdac3b8c6878499c','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-HDyoXzlUXOwVyKfgcajQJd9t','{"id":"ftevent-fb33ef55fdac3b8c6878499c","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Files validated, moving job to queued state","type":"message","data":{}}');
INSERT INTO "events" VALUES(28,'ftevent-673643191f68fb35c777df0f','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-FiXAjZy4pscoQc1oIlyHK6np','{"id":"ftevent-673643191f68fb35c777df0f","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Validating training file: file-cVmM1XK3z2BbxsfXC7gY1X9U","type":"message","data":{}}');
INSERT INTO "events" VALUES(29,'ftevent-6651614a7d90d86f6ef2eb3f','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-FiXAjZy4pscoQc1oIlyHK6np','{"id":"ftevent-6651614a7d90d86f6ef2eb3f","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Training file: The file has 12 examples; improvements show from 50 to 100 on. Add good examples, or look at the answers before you trust them.","type":"message","data":{"finding":{"code":"few_examples","severity":"advice","message":"The file has 12 examples; improvements show from 50 to 100 on.","remedy":"Add good examples, or look at the answers before you trust them.","line":null,"path":"$","offset":null,"excerpt":"","lines":[],"count":1,"param":"training_file"}}}');
INSERT INTO "events" VALUES(30,'ftevent-3f53644a84fa4f317b4a61fd','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-FiXAjZy4pscoQc1oIlyHK6np','{"id":"ftevent-3f53644a84fa4f317b4a61fd","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Files validated, moving job to queued state","type":"message","data":{}}');
INSERT INTO "events" VALUES(31,'ftevent-09788ea47c6f8fb4830581d8','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-HDyoXzlUXOwVyKfgcajQJd9t','{"id":"ftevent-09788ea47c6f8fb4830581d8","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Fine-tuning job started","type":"message","data":{}}');
INSERT INTO "events" VALUES(32,'ftevent-d5bae3341c868171f32d0ca6','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-b936Q63IDwimmBpQDojCSoY7','{"id":"ftevent-d5bae3341c868171f32d0ca6","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Created fine-tuning job: ftjob-b936Q63IDwimmBpQDojCSoY7","type":"message","data":{}}');
INSERT INTO "events" VALUES(33,'ftevent-f6daae04d9108eb45432e6ec','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-QyjZQw9NsuoEFRqBxqQiUPX2','{"id":"ftevent-f6daae04d9108eb45432e6ec","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Created fine-tuning job: ftjob-QyjZQw9NsuoEFRqBxqQiUPX2","type":"message","data":{}}');
INSERT INTO "events" VALUES(34,'ftevent-95cd3cdb6648ea24ae9f35be','org-M84i62i9204wYW5TSud8Asot',1,0,'ftjob-QyjZQw9NsuoEFRqBxqQiUPX2','{"id":"ftevent-95cd3cdb6648ea24ae9f35be","object":"fine_tuning.job.event","created_at":1795689429,"level":"info","message":"Fine-tuning job paused","type":"message","data":{}}');
CREATE TABLE files (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	purpose VARCHAR(128), 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "files" VALUES(1,'file-KIGrpNiSIFMpKwDnJ3qIs9Zi','org-lus6ZV2gaUjwzO9LdQ0GU0yE',1,0,'fine-tune',NULL,'{"id":"file-KIGrpNiSIFMpKwDnJ3qIs9Zi","object":"file","bytes":3904,"created_at":1795689414,"filename":"acme.jsonl","purpose":"fine-tune","status":"processed"}');
INSERT INTO "files" VALUES(2,'file-cVmM1XK3z2BbxsfXC7gY1X9U','org-M84i62i9204wYW5TSud8Asot',1,0,'fine-tune',NULL,'{"id":"file-cVmM1XK3z2BbxsfXC7gY1X9U","object":"file","bytes":3904,"created_at":1795689414,"filename":"chats.jsonl","purpose":"fine-tune","status":"processed"}');
INSERT INTO "files" VALUES(3,'file-cOaPwA2e5fEFvWDKwcD712Te','org-M84i62i9204wYW5TSud8Asot',1,0,'fine-tune',NULL,'{"id":"file-cOaPwA2e5fEFvWDKwcD712Te","object":"file","bytes":947,"created_at":1795689414,"expires_at":1795693014,"filename":"few.jsonl","purpose":"fine-tune","status":"processed"}');
INSERT INTO "files" VALUES(4,'file-maNgKhZsPi8cVBzpQy7yT3N4','org-M84i62i9204wYW5TSud8Asot',1,1,NULL,NULL,'');
INSERT INTO "files" VALUES(5,'file-6bf92e32dec7f8367208354e','org-M84i62i9204wYW5TSud8Asot',1,0,'fine-tune-results',NULL,'{"id":"file-6bf92e32dec7f8367208354e","object":"file","bytes":148,"created_at":1795689428,"filename":"step_metrics.csv","purpose":"fine-tune-results","status":"processed"}');
INSERT INTO "files" VALUES(6,'file-2a5gLUSEGuDG5y6QgRTGP8VN','org-M84i62i9204wYW5TSud8Asot',1,0,'fine-tune',NULL,'{"id":"file-2a5gLUSEGuDG5y6QgRTGP8VN","object":"file","bytes":3904,"created_at":1795689428,"filename":"up.jsonl","purpose":"fine-tune","status":"processed"}');
CREATE TABLE jobs (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	status VARCHAR(128), 
	training_file VARCHAR(128), 
	validation_file VARCHAR(128), 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "jobs" VALUES(1,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','org-M84i62i9204wYW5TSud8Asot',6,0,'succeeded','file-cVmM1XK3z2BbxsfXC7gY1X9U',NULL,NULL,'{"model":"builtin-chat","training_file":"file-cVmM1XK3z2BbxsfXC7gY1X9U","validation_file":null,"metadata":{"team":"a"},"id":"ftjob-M9A7Tc1AFFRQBWzLojz167VE","object":"fine_tuning.job","created_at":1795689414,"error":null,"estimated_finish":null,"fine_tuned_model":"ft:builtin-chat:personal:shop:a4d54e64","finished_at":1795689428,"hyperparameters":{"n_epochs":2,"batch_size":6,"learning_rate_multiplier":1.0},"integrations":null,"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":2,"batch_size":6,"learning_rate_multiplier":1.0,"adaptation":"lora","rank":8}}},"organization_id":"org-M84i62i9204wYW5TSud8Asot","result_files":["file-6bf92e32dec7f8367208354e"],"seed":3,"status":"succeeded","trained_tokens":1546,"user_provided_suffix":"shop"}');
INSERT INTO "jobs" VALUES(2,'ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh','org-M84i62i9204wYW5TSud8Asot',2,0,'failed','file-cOaPwA2e5fEFvWDKwcD712Te',NULL,NULL,'{"model":"builtin-chat","training_file":"file-cOaPwA2e5fEFvWDKwcD712Te","validation_file":null,"metadata":null,"id":"ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh","object":"fine_tuning.job","created_at":1795689428,"error":{"code":"invalid_n_examples","message":"Training file has 3 example(s), but must have at least 10 examples","param":"training_file"},"estimated_finish":null,"fine_tuned_model":null,"finished_at":1795689428,"hyperparameters":{"n_epochs":"auto","batch_size":"auto","learning_rate_multiplier":"auto"},"integrations":null,"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":"auto","batch_size":"auto","learning_rate_multiplier":"auto","adaptation":"lora","rank":"auto"}}},"organization_id":"org-M84i62i9204wYW5TSud8Asot","result_files":[],"seed":1298891006,"status":"failed","trained_tokens":null,"user_provided_suffix":null}');
INSERT INTO "jobs" VALUES(3,'ftjob-TSapIXkbAl98Ld8OcbKckBDG','org-M84i62i9204wYW5TSud8Asot',2,0,'cancelled','file-cVmM1XK3z2BbxsfXC7gY1X9U',NULL,NULL,'{"model":"builtin-chat","training_file":"file-cVmM1XK3z2BbxsfXC7gY1X9U","validation_file":null,"metadata":null,"id":"ftjob-TSapIXkbAl98Ld8OcbKckBDG","object":"fine_tuning.job","created_at":1795689429,"error":null,"estimated_finish":null,"fine_tuned_model":null,"finished_at":1795689429,"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto"},"integrations":null,"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto","adaptation":"lora","rank":"auto"}}},"organization_id":"org-M84i62i9204wYW5TSud8Asot","result_files":[],"seed":4,"status":"cancelled","trained_tokens":null,"user_provided_suffix":null}');
INSERT INTO "jobs" VALUES(4,'ftjob-HDyoXzlUXOwVyKfgcajQJd9t','org-M84i62i9204wYW5TSud8Asot',3,0,'running','file-cVmM1XK3z2BbxsfXC7gY1X9U',NULL,NULL,'{"model":"builtin-chat","training_file":"file-cVmM1XK3z2BbxsfXC7gY1X9U","validation_file":null,"metadata":null,"id":"ftjob-HDyoXzlUXOwVyKfgcajQJd9t","object":"fine_tuning.job","created_at":1795689429,"error":null,"estimated_finish":null,"fine_tuned_model":null,"finished_at":null,"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto"},"integrations":null,"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto","adaptation":"lora","rank":"auto"}}},"organization_id":"org-M84i62i9204wYW5TSud8Asot","result_files":[],"seed":4,"status":"running","trained_tokens":null,"user_provided_suffix":null}');
INSERT INTO "jobs" VALUES(5,'ftjob-FiXAjZy4pscoQc1oIlyHK6np','org-M84i62i9204wYW5TSud8Asot',2,0,'queued','file-cVmM1XK3z2BbxsfXC7gY1X9U',NULL,NULL,'{"model":"builtin-chat","training_file":"file-cVmM1XK3z2BbxsfXC7gY1X9U","validation_file":null,"metadata":null,"id":"ftjob-FiXAjZy4pscoQc1oIlyHK6np","object":"fine_tuning.job","created_at":1795689429,"error":null,"estimated_finish":null,"fine_tuned_model":null,"finished_at":null,"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto"},"integrations":null,"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto","adaptation":"lora","rank":"auto"}}},"organization_id":"org-M84i62i9204wYW5TSud8Asot","result_files":[],"seed":4,"status":"queued","trained_tokens":null,"user_provided_suffix":null}');
INSERT INTO "jobs" VALUES(6,'ftjob-b936Q63IDwimmBpQDojCSoY7','org-M84i62i9204wYW5TSud8Asot',1,0,'validating_files','file-cVmM1XK3z2BbxsfXC7gY1X9U',NULL,NULL,'{"model":"builtin-chat","training_file":"file-cVmM1XK3z2BbxsfXC7gY1X9U","validation_file":null,"metadata":null,"id":"ftjob-b936Q63IDwimmBpQDojCSoY7","object":"fine_tuning.job","created_at":1795689429,"error":null,"estimated_finish":null,"fine_tuned_model":null,"finished_at":null,"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto"},"integrations":null,"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto","adaptation":"lora","rank":"auto"}}},"organization_id":"org-M84i62i9204wYW5TSud8Asot","result_files":[],"seed":4,"status":"validating_files","trained_tokens":null,"user_provided_suffix":null}');
INSERT INTO "jobs" VALUES(7,'ftjob-QyjZQw9NsuoEFRqBxqQiUPX2','org-M84i62i9204wYW5TSud8Asot',1,0,'validating_files','file-cVmM1XK3z2BbxsfXC7gY1X9U',NULL,NULL,'{"model":"builtin-chat","training_file":"file-cVmM1XK3z2BbxsfXC7gY1X9U","validation_file":null,"metadata":null,"id":"ftjob-QyjZQw9NsuoEFRqBxqQiUPX2","object":"fine_tuning.job","created_at":1795689429,"error":null,"estimated_finish":null,"fine_tuned_model":null,"finished_at":null,"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto"},"integrations":null,"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":1,"batch_size":12,"learning_rate_multiplier":"auto","adaptation":"lora","rank":"auto"}}},"organization_id":"org-M84i62i9204wYW5TSud8Asot","result_files":[],"seed":4,"status":"validating_files","trained_tokens":null,"user_provided_suffix":null}');
CREATE TABLE keys (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(64) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	hint VARCHAR(32) NOT NULL, 
	created_at INTEGER NOT NULL, 
	expires_at INTEGER, 
	revoked_at INTEGER, 
	UNIQUE (id), 
	FOREIGN KEY(organisation) REFERENCES organisations (id), 
	UNIQUE (sha256)
);
INSERT INTO "keys" VALUES(1,'key-wXmuPoekujsNwkJvel734U3D','org-M84i62i9204wYW5TSud8Asot','first key','owner','9255a1786bfdad8379967fe4240a7dc967fcff2a3ac8d2fff0b828c5c226f2a0','sk-tw-1b***_FCY',1795689414,NULL,NULL);
INSERT INTO "keys" VALUES(2,'key-Wdk0MjomXyZ6ZKW9zrCJFIZm','org-M84i62i9204wYW5TSud8Asot','','member','key-Wdk0MjomXyZ6ZKW9zrCJFIZm','',1795689414,NULL,1795689414);
INSERT INTO "keys" VALUES(3,'key-Ih1q7InFtxnMhRQLQAflqAmH','org-M84i62i9204wYW5TSud8Asot','member','member','365be9f38b57c02fae9784423e05e46b504bab9f52728cc008a791d222fa6db7','sk-tw-Zy***c6JY',1795689414,1795693014,NULL);
INSERT INTO "keys" VALUES(4,'key-6lHfmodQrbYS93kBfFtcCbN4','org-lus6ZV2gaUjwzO9LdQ0GU0yE','acme''s','owner','0bf3741523ac97ac2b39fbc46b61a5dba8904923f758f6f80473141a65b1b4a6','sk-tw-fm***QT4k',1795689414,NULL,NULL);
CREATE TABLE models (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "models" VALUES(1,'builtin-chat','tunewright',1,0,NULL,'{"id":"builtin-chat","object":"model","created":1795689414,"owned_by":"tunewright"}');
INSERT INTO "models" VALUES(2,'builtin-completion','tunewright',1,0,NULL,'{"id":"builtin-completion","object":"model","created":1795689414,"owned_by":"tunewright"}');
INSERT INTO "models" VALUES(3,'builtin-mini','tunewright',1,0,NULL,'{"id":"builtin-mini","object":"model","created":1795689414,"owned_by":"tunewright"}');
INSERT INTO "models" VALUES(4,'builtin-static','tunewright',1,0,NULL,'{"id":"builtin-static","object":"model","created":1795689414,"owned_by":"tunewright"}');
INSERT INTO "models" VALUES(5,'ft:builtin-chat:personal:shop:a4d54e64','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'{"id":"ft:builtin-chat:personal:shop:a4d54e64","object":"model","created":1795689428,"owned_by":"personal"}');
CREATE TABLE organisations (
	sequence INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	created_at INTEGER NOT NULL, 
	PRIMARY KEY (sequence), 
	UNIQUE (id), 
	UNIQUE (name)
);
INSERT INTO "organisations" VALUES(1,'org-M84i62i9204wYW5TSud8Asot','personal',1795689414);
INSERT INTO "organisations" VALUES(2,'org-lus6ZV2gaUjwzO9LdQ0GU0yE','acme',1795689414);
CREATE TABLE replies (
	id VARCHAR(64) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	request VARCHAR(64) NOT NULL, 
	subject VARCHAR(128), 
	status INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	until FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "replies" VALUES('reply-1','org-M84i62i9204wYW5TSud8Asot','0000000000000000000000000000000000000000000000000000000000000000','ftjob-b936Q63IDwimmBpQDojCSoY7',200,'{"id": "x"}',1.79577582924066591263e+09);
CREATE TABLE schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema" VALUES(1);
CREATE TABLE switched (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "switched" VALUES(1,'org-M84i62i9204wYW5TSud8Asot ft:gpt-3.5-turbo-0613:shop::AbCd1234','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'{"id":"org-M84i62i9204wYW5TSud8Asot ft:gpt-3.5-turbo-0613:shop::AbCd1234","name":"ft:gpt-3.5-turbo-0613:shop::AbCd1234","target":"ft:builtin-chat:personal:shop:a4d54e64","previous":null,"created":1795689428}');
CREATE TABLE tasks (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	lane VARCHAR(16) NOT NULL, 
	subject VARCHAR(128) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempt INTEGER NOT NULL, 
	fruitless INTEGER NOT NULL, 
	reached INTEGER NOT NULL, 
	worker VARCHAR(128), 
	lease_until FLOAT, 
	turn INTEGER, 
	held BOOLEAN NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "tasks" VALUES(2,'task-Q1UXgreBvQO34H0ykEojG0FD','check','cpu','ftjob-M9A7Tc1AFFRQBWzLojz167VE','org-M84i62i9204wYW5TSud8Asot','done',1,1,0,'worker-ygqQNgSK',3454.448141232,1,0);
INSERT INTO "tasks" VALUES(3,'task-xjTTQgrpwVuaMCLmWd38aCGH','fine-tune','train','ftjob-M9A7Tc1AFFRQBWzLojz167VE','org-M84i62i9204wYW5TSud8Asot','done',1,0,4,'worker-ygqQNgSK',3467.29192695,2,0);
INSERT INTO "tasks" VALUES(4,'task-aMu7pKaGG7xbIOe5DQ1ZgKuQ','check','cpu','ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh','org-M84i62i9204wYW5TSud8Asot','done',1,1,0,'worker-ygqQNgSK',3468.128578122,3,0);
INSERT INTO "tasks" VALUES(5,'task-KV3FVYtoYeG9pvnnzwpLfpjF','check','cpu','ftjob-TSapIXkbAl98Ld8OcbKckBDG','org-M84i62i9204wYW5TSud8Asot','done',0,0,0,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(6,'task-4S5JZ8Ha4U60QlvMZj3PCsBg','check','cpu','ftjob-HDyoXzlUXOwVyKfgcajQJd9t','org-M84i62i9204wYW5TSud8Asot','done',1,1,0,'worker-old',3468.818844261,4,0);
INSERT INTO "tasks" VALUES(7,'task-VocWit1QXNKOlZ7ZcTLeDaXi','check','cpu','ftjob-FiXAjZy4pscoQc1oIlyHK6np','org-M84i62i9204wYW5TSud8Asot','done',1,1,0,'worker-old',3468.861277089,5,0);
INSERT INTO "tasks" VALUES(8,'task-NYJRgUNkxIyWVSQcjVLL9dx5','fine-tune','train','ftjob-HDyoXzlUXOwVyKfgcajQJd9t','org-M84i62i9204wYW5TSud8Asot','leased',1,1,0,'worker-old',3468.928089638,6,0);
INSERT INTO "tasks" VALUES(9,'task-3J6esubpgTwXzL4sYjkFwyxy','fine-tune','train','ftjob-FiXAjZy4pscoQc1oIlyHK6np','org-M84i62i9204wYW5TSud8Asot','waiting',0,0,0,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(10,'task-vWNxWADSAAL0PYydWbT8HcZ2','check','cpu','ftjob-b936Q63IDwimmBpQDojCSoY7','org-M84i62i9204wYW5TSud8Asot','waiting',0,0,0,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(11,'task-ZRsIhgYwnnky57lR0XCrQxaV','check','cpu','ftjob-QyjZQw9NsuoEFRqBxqQiUPX2','org-M84i62i9204wYW5TSud8Asot','waiting',0,0,0,NULL,NULL,NULL,1);
INSERT INTO "tasks" VALUES(12,'task-MVLDkkOpTwZrWF6xfwC9DhBy','remove','tidy','file-gggggggggggggggggggggggg','org-M84i62i9204wYW5TSud8Asot','waiting',0,0,0,NULL,NULL,NULL,0);
CREATE TABLE upload_parts (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	upload_id VARCHAR(128), 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "upload_parts" VALUES(1,'part_NhCiW6FLyIlyFIh2kmPNfjvw','org-M84i62i9204wYW5TSud8Asot',1,1,NULL,NULL,'');
INSERT INTO "upload_parts" VALUES(2,'part_id1JhDNZdjLDe4Wq9LYaDCPB','org-M84i62i9204wYW5TSud8Asot',1,0,'upload_rYA6iOKlPOOmA3NxdSZAdQCO',NULL,'{"id":"part_id1JhDNZdjLDe4Wq9LYaDCPB","object":"upload.part","created_at":1795689428,"upload_id":"upload_rYA6iOKlPOOmA3NxdSZAdQCO"}');
CREATE TABLE uploads (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	status VARCHAR(128), 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "uploads" VALUES(1,'upload_6QVKOihFUxQrTzdiX1Zn8GYt','org-M84i62i9204wYW5TSud8Asot',2,0,'completed',NULL,'{"id":"upload_6QVKOihFUxQrTzdiX1Zn8GYt","object":"upload","bytes":3904,"created_at":1795689428,"expires_at":1795693028,"filename":"up.jsonl","purpose":"fine-tune","status":"completed","file":{"id":"file-2a5gLUSEGuDG5y6QgRTGP8VN","object":"file","bytes":3904,"created_at":1795689428,"filename":"up.jsonl","purpose":"fine-tune","status":"processed"}}');
INSERT INTO "uploads" VALUES(2,'upload_rYA6iOKlPOOmA3NxdSZAdQCO','org-M84i62i9204wYW5TSud8Asot',1,0,'pending',NULL,'{"id":"upload_rYA6iOKlPOOmA3NxdSZAdQCO","object":"upload","bytes":10,"created_at":1795689428,"expires_at":1795693028,"filename":"pending.jsonl","purpose":"fine-tune","status":"pending","file":null}');
CREATE TABLE weights (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(256) NOT NULL, 
	organisation VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	directory VARCHAR(128), 
	base_directory VARCHAR(128), 
	job VARCHAR(128), 
	subject VARCHAR(256), 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "weights" VALUES(1,'builtin-chat','tunewright',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"builtin-chat","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(2,'builtin-completion','tunewright',1,0,NULL,'bases/builtin-completion-2cf5123b7a59afe9',NULL,NULL,'{"id":"builtin-completion","kind":"completion","base":"builtin-completion","base_directory":"bases/builtin-completion-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(3,'builtin-mini','tunewright',1,0,NULL,'bases/builtin-mini-bb4a528a65bb3ca1',NULL,NULL,'{"id":"builtin-mini","kind":"embedding","base":"builtin-mini","base_directory":"bases/builtin-mini-bb4a528a65bb3ca1","base_fingerprint":"bb4a528a65bb3ca1","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(4,'builtin-static','tunewright',1,0,NULL,'bases/builtin-static-ca285dde7d86abee',NULL,NULL,'{"id":"builtin-static","kind":"embedding","base":"builtin-static","base_directory":"bases/builtin-static-ca285dde7d86abee","base_fingerprint":"ca285dde7d86abee","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(5,'ftjob-M9A7Tc1AFFRQBWzLojz167VE','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"ftjob-M9A7Tc1AFFRQBWzLojz167VE","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(6,'ft:builtin-chat:personal:shop:a4d54e64:ckpt-step-2','org-M84i62i9204wYW5TSud8Asot',1,0,'jobs/ftjob-M9A7Tc1AFFRQBWzLojz167VE/checkpoints/step-2','bases/builtin-chat-2cf5123b7a59afe9','ftjob-M9A7Tc1AFFRQBWzLojz167VE',NULL,'{"id":"ft:builtin-chat:personal:shop:a4d54e64:ckpt-step-2","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":"jobs/ftjob-M9A7Tc1AFFRQBWzLojz167VE/checkpoints/step-2","adaptation":"lora","job":"ftjob-M9A7Tc1AFFRQBWzLojz167VE","step":2,"deleted_name":null,"created":1795689420}');
INSERT INTO "weights" VALUES(7,'ft:builtin-chat:personal:shop:a4d54e64:ckpt-step-4','org-M84i62i9204wYW5TSud8Asot',1,0,'jobs/ftjob-M9A7Tc1AFFRQBWzLojz167VE/checkpoints/step-4','bases/builtin-chat-2cf5123b7a59afe9','ftjob-M9A7Tc1AFFRQBWzLojz167VE',NULL,'{"id":"ft:builtin-chat:personal:shop:a4d54e64:ckpt-step-4","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":"jobs/ftjob-M9A7Tc1AFFRQBWzLojz167VE/checkpoints/step-4","adaptation":"lora","job":"ftjob-M9A7Tc1AFFRQBWzLojz167VE","step":4,"deleted_name":null,"created":1795689420}');
INSERT INTO "weights" VALUES(8,'ft:builtin-chat:personal:shop:a4d54e64','org-M84i62i9204wYW5TSud8Asot',1,0,'models/a4d54e642a2bf708db45a6b7','bases/builtin-chat-2cf5123b7a59afe9','ftjob-M9A7Tc1AFFRQBWzLojz167VE',NULL,'{"id":"ft:builtin-chat:personal:shop:a4d54e64","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":"models/a4d54e642a2bf708db45a6b7","adaptation":"lora","job":"ftjob-M9A7Tc1AFFRQBWzLojz167VE","step":null,"deleted_name":null,"created":1795689422}');
INSERT INTO "weights" VALUES(9,'ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"ftjob-Ke77DvCTF1ZoQhJgEuCn9dWh","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(10,'ftjob-TSapIXkbAl98Ld8OcbKckBDG','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"ftjob-TSapIXkbAl98Ld8OcbKckBDG","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(11,'ftjob-HDyoXzlUXOwVyKfgcajQJd9t','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"ftjob-HDyoXzlUXOwVyKfgcajQJd9t","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(12,'ftjob-FiXAjZy4pscoQc1oIlyHK6np','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"ftjob-FiXAjZy4pscoQc1oIlyHK6np","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(13,'ftjob-b936Q63IDwimmBpQDojCSoY7','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"ftjob-b936Q63IDwimmBpQDojCSoY7","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
INSERT INTO "weights" VALUES(14,'ftjob-QyjZQw9NsuoEFRqBxqQiUPX2','org-M84i62i9204wYW5TSud8Asot',1,0,NULL,'bases/builtin-chat-2cf5123b7a59afe9',NULL,NULL,'{"id":"ftjob-QyjZQw9NsuoEFRqBxqQiUPX2","kind":"chat","base":"builtin-chat","base_directory":"bases/builtin-chat-2cf5123b7a59afe9","base_fingerprint":"2cf5123b7a59afe9","directory":null,"adaptation":"none","job":null,"step":null,"deleted_name":null,"created":1795689414}');
CREATE INDEX files_by_organisation ON files (organisation, subject, sequence);
CREATE INDEX jobs_by_organisation ON jobs (organisation, subject, sequence);
CREATE INDEX events_by_organisation ON events (organisation, subject, sequence);
CREATE INDEX checkpoints_by_organisation ON checkpoints (organisation, subject, sequence);
CREATE INDEX checkpoint_permissions_by_organisation ON checkpoint_permissions (organisation, subject, sequence);
CREATE INDEX uploads_by_organisation ON uploads (organisation, subject, sequence);
CREATE INDEX upload_parts_by_organisation ON upload_parts (organisation, subject, sequence);
CREATE INDEX models_by_organisation ON models (organisation, subject, sequence);
CREATE INDEX switched_by_organisation ON switched (organisation, subject, sequence);
CREATE INDEX weights_by_organisation ON weights (organisation, subject, sequence);
CREATE INDEX tasks_by_lane ON tasks (lane, state, sequence);
CREATE INDEX tasks_in_turn ON tasks (turn);
CREATE INDEX tasks_by_subject ON tasks (subject);
CREATE INDEX tasks_by_turn ON tasks (lane, organisation, turn);
CREATE INDEX replies_by_subject ON replies (organisation, subject);
CREATE INDEX replies_by_end ON replies (until);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('models',5);
INSERT INTO "sqlite_sequence" VALUES('weights',14);
INSERT INTO "sqlite_sequence" VALUES('keys',4);
INSERT INTO "sqlite_sequence" VALUES('files',6);
INSERT INTO "sqlite_sequence" VALUES('tasks',12);
INSERT INTO "sqlite_sequence" VALUES('jobs',7);
INSERT INTO "sqlite_sequence" VALUES('events',34);
INSERT INTO "sqlite_sequence" VALUES('checkpoints',2);
INSERT INTO "sqlite_sequence" VALUES('checkpoint_permissions',1);
INSERT INTO "sqlite_sequence" VALUES('switched',1);
INSERT INTO "sqlite_sequence" VALUES('uploads',2);
INSERT INTO "sqlite_sequence" VALUES('upload_parts',2);
COMMIT;
