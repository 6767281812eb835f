/* append - what a journal costs at the least: SQLite (WAL, synchronous=FULL) committing texts of the same
 * size in batches. append FILE BYTES BATCH SECONDS Prints "texts seconds". */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(int rc, int wanted, sqlite3 *db)
{
    if (rc == wanted)
        return;
    fprintf(stderr, "append: %s\n", sqlite3_errmsg(db));
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: append FILE BYTES BATCH SECONDS\n");
        return 2;
    }
    int bytes = atoi(argv[2]), batch = atoi(argv[3]);
    double seconds = atof(argv[4]);
    char *text = malloc((size_t)bytes + 1);
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    if (!text)
        return 1;
    memset(text, 'x', (size_t)bytes);
    must(sqlite3_open(argv[1], &db), SQLITE_OK, db);
    must(sqlite3_exec(db,
                      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE fact (seq INTEGER "
                      "PRIMARY KEY, body TEXT NOT NULL)",
                      NULL, NULL, NULL),
         SQLITE_OK, db);
    must(sqlite3_prepare_v2(db, "INSERT INTO fact (body) VALUES (?)", -1, &insert, NULL), SQLITE_OK, db);
    double begin = now_s();
    long n = 0;
    while (now_s() - begin < seconds) {
        must(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK, db);
        for (int i = 0; i < batch; i++, n++) {
            sqlite3_bind_text(insert, 1, text, bytes, SQLITE_STATIC);
            must(sqlite3_step(insert), SQLITE_DONE, db);
            sqlite3_reset(insert);
        }
        must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK, db);
    }
    printf("%ld %.3f\n", n, now_s() - begin);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    free(text);
    return 0;
}
