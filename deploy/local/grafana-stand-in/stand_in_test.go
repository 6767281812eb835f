package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

type world struct {
	t      *testing.T
	file   string
	server *httptest.Server
}

func start(t *testing.T, file string) *world {
	st, err := openStore(file)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t, file, httptest.NewServer((&server{token: "glsa_x", store: st}).routes())}
	t.Cleanup(w.server.Close)
	return w
}

// call sends body as JSON with the right token; -1 stands for a connection closed without an answer.
func (w *world) call(method, path, body string) (int, string) {
	r, _ := http.NewRequest(method, w.server.URL+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer glsa_x")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return -1, ""
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b)
}

func (w *world) must(status int, method, path, body string) string {
	w.t.Helper()
	got, text := w.call(method, path, body)
	if got != status {
		w.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, got, text, status)
	}
	return text
}

func (w *world) found(query string) []map[string]any {
	w.t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(w.must(200, "GET", "/api/annotations?"+query, "")), &list); err != nil {
		w.t.Fatal(err)
	}
	return list
}

func fresh(t *testing.T) *world { return start(t, filepath.Join(t.TempDir(), "annotations.json")) }

func TestRefusesWhatGrafanaRefuses(t *testing.T) {
	w := fresh(t)
	long := strings.Repeat("x", 101)
	many := `"` + strings.Repeat("0123456789", 8) + `"`
	for _, body := range []string{``, `{`, `{}`, `{"text":""}`, `{"text":"a","tags":"b"}`, `{"text":"a","surprise":1}`, `{"text":"a","time":"1"}`,
		`{"text":"a","tags":["` + long + `"]}`, `{"text":"a","tags":["k:` + long + `"]}`,
		`{"text":"a","tags":[` + strings.Join([]string{many, `"1` + many[1:], `"2` + many[1:], `"3` + many[1:], `"4` + many[1:], `"5` + many[1:]}, ",") + `]}`} {
		w.must(400, "POST", "/api/annotations", body)
	}
	if n := len(w.found("")); n != 0 {
		t.Fatalf("%d annotations were kept", n)
	}
}

func TestTagBudgetIsExact(t *testing.T) {
	w := fresh(t)
	tag := func(n int, c string) string { return `"` + strings.Repeat(c, n) + `"` }
	fits := []string{tag(97, "a"), tag(97, "b"), tag(97, "c"), tag(97, "d"), tag(96, "e")} // 2 + 484 + 5*2 + 4 = 500
	w.must(200, "POST", "/api/annotations", `{"text":"x","tags":[`+strings.Join(fits, ",")+`]}`)
	fits[4] = tag(97, "e")
	if text := w.must(400, "POST", "/api/annotations", `{"text":"x","tags":[`+strings.Join(fits, ",")+`]}`); !strings.Contains(text, "annotations.tag-limit-exceeded") {
		t.Fatalf("the answer lacks the message id: %s", text)
	}
}

func TestNeedsTokenAndContentType(t *testing.T) {
	w := fresh(t)
	for _, header := range []string{"", "Bearer other", "glsa_x", "Basic glsa_x"} {
		r, _ := http.NewRequest("GET", w.server.URL+"/api/annotations", nil)
		r.Header.Set("Authorization", header)
		answer, err := http.DefaultClient.Do(r)
		if err != nil || answer.StatusCode != 401 {
			t.Fatalf("%q: %v %v", header, answer, err)
		}
	}
	r, _ := http.NewRequest("POST", w.server.URL+"/api/annotations", strings.NewReader(`{"text":"a"}`))
	r.Header.Set("Authorization", "Bearer glsa_x")
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != 400 {
		t.Fatalf("without content type: %v %v", answer, err)
	}
	w.must(200, "GET", "/api/health", "")
}

func TestPatchChangesWhatIsGivenPutAll(t *testing.T) {
	w := fresh(t)
	w.must(200, "POST", "/api/annotations", `{"text":"a","time":1000,"tags":["k:v","z"],"data":{"run":"1"}}`)
	w.must(200, "PATCH", "/api/annotations/1", `{"timeEnd":5000}`)
	one := w.found("tags=z")[0]
	if one["text"] != "a" || one["time"] != 1000.0 || one["timeEnd"] != 5000.0 || len(one["tags"].([]any)) != 2 || one["data"].(map[string]any)["run"] != "1" {
		t.Fatalf("patched to %v", one)
	}
	w.must(200, "PATCH", "/api/annotations/1", `{"tags":[]}`)
	w.must(200, "PUT", "/api/annotations/1", `{"text":"b"}`)
	one = w.found("")[0]
	if one["text"] != "b" || one["timeEnd"] != 5000.0 || len(one["tags"].([]any)) != 0 {
		t.Fatalf("updated to %v", one)
	}
	w.must(200, "DELETE", "/api/annotations/1", "")
	for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
		w.must(404, method, "/api/annotations/1", `{"text":"c"}`)
	}
	var all []record
	if err := json.Unmarshal([]byte(w.must(200, "GET", "/stand-in/annotations", "")), &all); err != nil || len(all) != 1 || len(all[0].History) != 5 {
		t.Fatalf("history: %v %v", all, err)
	}
}

func TestFindsByTagAsGrafanaDoes(t *testing.T) {
	w := fresh(t)
	w.must(200, "POST", "/api/annotations", `{"text":"1","time":1000,"timeEnd":2000,"tags":["heald","app: a "]}`)
	w.must(200, "POST", "/api/annotations", `{"text":"2","time":3000,"timeEnd":1500,"tags":["heald","app:a","app:b"]}`)
	for query, want := range map[string]string{
		"tags=heald":                        "21",
		"tags=app:a&tags=heald":             "21",
		"tags=app":                          "1", // two rows of the second one match, and 2 is not 1
		"tags=app:b&tags=nothing":           "",
		"tags=app:b&tags=x&matchAny=true":   "2",
		"from=2100&to=2500":                 "2",
		"from=3001&to=9000":                 "",
		"tags=heald&limit=1":                "2",
		"tags=" + url.QueryEscape("app:a:"): "",
	} {
		got := ""
		for _, n := range w.found(query) {
			got += n["text"].(string)
		}
		if got != want {
			t.Errorf("%s: found %q, want %q", query, got, want)
		}
	}
}

func TestKeepsRecordsOverARestart(t *testing.T) {
	w := fresh(t)
	w.must(200, "POST", "/api/annotations", `{"text":"a"}`)
	again := start(t, w.file)
	again.must(200, "POST", "/api/annotations", `{"text":"b"}`)
	if list := again.found(""); len(list) != 2 || list[0]["id"] == list[1]["id"] {
		t.Fatalf("after the restart: %v", list)
	}
}

func TestFaultsAreCountedAndEnd(t *testing.T) {
	w := fresh(t)
	w.must(200, "POST", "/stand-in/faults", `{"status":503,"count":2}`)
	w.must(503, "POST", "/api/annotations", `{"text":"a"}`)
	w.must(503, "GET", "/api/annotations", "")
	w.must(200, "GET", "/api/annotations", "")
	w.must(200, "POST", "/stand-in/faults", `{"drop_answer":true,"method":"POST"}`)
	if status, _ := w.call("POST", "/api/annotations", `{"text":"b"}`); status != -1 {
		t.Fatalf("the answer was not dropped: %d", status)
	}
	if list := w.found(""); len(list) != 1 || list[0]["text"] != "b" {
		t.Fatalf("a dropped answer must still store: %v", list)
	}
	w.must(200, "POST", "/stand-in/faults", `{}`)
	w.must(200, "POST", "/api/annotations", `{"text":"c"}`)
	w.must(400, "POST", "/stand-in/faults", `{"statos":503}`)
}
