CREATE TABLE "clips" (
	"id" text PRIMARY KEY,
	"owner" text NOT NULL,
	"title" text NOT NULL,
	"file_key" text NOT NULL,
	"file_name" text NOT NULL,
	"file_size" bigint NOT NULL,
	"job_id" text,
	"video" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "clips_owner" ON "clips" ("owner","created_at" DESC NULLS LAST,"id" DESC NULLS LAST);