// Command grafana-stand-in answers the part of Grafana's HTTP API that heald uses: annotations and health.
//
// It is a stand-in, not Grafana: Grafana is to be had neither as a Go module nor as a Debian package. Requests are decoded strictly with
// Grafana's own published models (grafana-openapi-client-go) and their Validate; the rules that the models do not state (tag budget, key:value tags,
// AND search by counting tag rows, PATCH semantics) are written down in annotations.go. Records are kept in a file, with their history.
package main

import (
	"crypto/subtle"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// fault makes API requests misbehave; {} ends that.
type fault struct {
	Status     int    `json:"status"`      // answer with this status instead of doing anything
	DelayMs    int    `json:"delay_ms"`    // wait before doing it
	DropAnswer bool   `json:"drop_answer"` // do it, then close the connection without an answer
	Count      *int   `json:"count"`       // how many requests; absent: until told otherwise
	Method     string `json:"method"`      // only requests of this method; absent: all
}

type server struct {
	mu    sync.Mutex
	token string
	store *store
	fault fault
}

func (s *server) takeFault(method string) fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.fault
	if f.Method != "" && f.Method != method {
		return fault{}
	}
	if f.Count != nil {
		if *f.Count <= 0 {
			return fault{}
		}
		*s.fault.Count--
	}
	return f
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, message, id string) {
	body := map[string]any{"message": message}
	if id != "" {
		body["messageId"] = id
		body["statusCode"] = status
		body["traceID"] = ""
	}
	answer(w, status, body)
}

// dropper lets the handler run and throws its answer away.
type dropper struct{ header http.Header }

func (d dropper) Header() http.Header         { return d.header }
func (d dropper) Write(b []byte) (int, error) { return len(b), nil }
func (d dropper) WriteHeader(int)             {}

func (s *server) api(w http.ResponseWriter, r *http.Request) {
	f := s.takeFault(r.Method)
	time.Sleep(time.Duration(f.DelayMs) * time.Millisecond)
	if f.Status != 0 {
		refuse(w, f.Status, "a fault was switched on", "")
		return
	}
	if f.DropAnswer {
		s.authorised(dropper{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	}
	s.authorised(w, r)
}

func (s *server) authorised(w http.ResponseWriter, r *http.Request) {
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || subtle.ConstantTimeCompare([]byte(given), []byte(s.token)) != 1 {
		refuse(w, http.StatusUnauthorized, "Invalid API key", "api-key.invalid")
		return
	}
	s.annotations(w, r)
}

func (s *server) standIn(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/stand-in/faults":
		var f fault
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			refuse(w, http.StatusBadRequest, err.Error(), "")
			return
		}
		s.mu.Lock()
		s.fault = f
		s.mu.Unlock()
		answer(w, http.StatusOK, f)
	case r.Method == http.MethodGet && r.URL.Path == "/stand-in/annotations":
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		answer(w, http.StatusOK, s.store.Records)
	default:
		refuse(w, http.StatusNotFound, "the stand-in has no such path", "")
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address")
	tokenFile := flag.String("token-file", "", "file with the one service account token that is accepted")
	records := flag.String("records", "annotations.json", "file that keeps the annotations")
	flag.Parse()
	token, err := os.ReadFile(*tokenFile)
	if err != nil {
		log.Fatal(err)
	}
	st, err := openStore(*records)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{token: strings.TrimSpace(string(token)), store: st}
	if s.token == "" {
		log.Fatalf("%s holds no token", *tokenFile)
	}
	log.Fatal(http.ListenAndServe(*listen, s.routes()))
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"commit": "stand-in", "database": "ok", "version": "12.0.0-stand-in"})
	})
	mux.HandleFunc("/api/", s.api)
	mux.HandleFunc("/stand-in/", s.standIn)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"what": "a stand-in for Grafana's annotations API, not Grafana",
			"annotations": "/stand-in/annotations", "faults": "POST /stand-in/faults"})
	})
	return mux
}
