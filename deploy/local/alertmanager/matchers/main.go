// Command matchers says how Alertmanager itself reads matchers: in its own way by default, which asks the parser for UTF-8 names first and the
// classic one beside it. One JSON object a line:
//
//	matchers make SEED COUNT    a corpus: by hand, then made at random from pieces that parsers trip over
//	matchers read               the same for lines {"text": "..."} from standard input
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/common/model"
)

type verdict struct {
	Value   string `json:"value"`
	Matches bool   `json:"matches"`
}

type reading struct {
	Text     string    `json:"text"`
	Error    string    `json:"error,omitempty"`
	Number   int       `json:"number"` // how many matchers it is
	Op       string    `json:"op,omitempty"`
	Name     string    `json:"name"`
	Value    string    `json:"value"`
	Verdicts []verdict `json:"verdicts,omitempty"` // does it match a label of this value?
}

var parse = compat.FallbackMatchersParser(slog.New(slog.NewTextHandler(nowhere{}, nil)))

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// What label values are tried: some of everybody's, and those that come out of the text.
func values(text, value string) []string {
	list := []string{"", "a", "A", "shop", "shop-web", "a\nb", "\n", "ä", "日本", "a.b", "a+b", "1", "10", `\`, `"`, " a ", text, value, value + "x", "x" + value, strings.ToUpper(value)}
	list = append(list, strings.Split(value, "|")...)
	return append(list, strings.NewReplacer(`\`, "", ".", "x", "*", "", "+", "", "?", "", "(", "", ")", "", "^", "", "$", "").Replace(value))
}

func read(text string) reading {
	r := reading{Text: text}
	list, err := parse(text, "heald")
	if err != nil {
		r.Error = err.Error()
		return r
	}
	r.Number = len(list)
	if len(list) != 1 {
		return r
	}
	m := list[0]
	r.Op, r.Name, r.Value = m.Type.String(), m.Name, m.Value
	for _, v := range values(text, m.Value) {
		if model.LabelValue(v).IsValid() && !strings.Contains(v, "\x00") {
			r.Verdicts = append(r.Verdicts, verdict{v, m.Matches(v)})
		}
	}
	return r
}

var byHand = []string{
	`alertname=X`, `alertname="X"`, ` alertname = "X" `, `alertname!="X"`, `alertname=~"X|Y"`, `alertname!~"X.*"`, `alertname=`, `alertname=""`, `=X`, `"="`, `alertname`,
	`alertname==X`, `alertname=~`, `alertname=~""`, `alertname=~(`, `alertname=~"("`, `alertname=~"a{1001}"`, `alertname=~"(?i)x"`, `alertname=~"(?s)."`, `alertname=~"."`,
	`alertname=~"^a$"`, `alertname=~"a\\.b"`, `alertname=~"a\.b"`, `alertname=~a\.b`, `alertname=~"\\d+"`, `alertname=~"\d+"`, `alertname=~\d+`, `alertname="a\nb"`, `alertname="a\tb"`,
	`alertname="a\"b"`, `alertname="a\\b"`, `alertname=a\nb`, `alertname=a"b`, `alertname="a"b"`, `alertname="a`, `alertname=a"`, `alertname="`, `alertname=\`, `alertname="\"`, `alertname="\\"`,
	`"alertname"="X"`, `"alert name"="X"`, `alert name=X`, `alert.name=X`, `alert-name=X`, `alert:name=X`, `1alert=X`, `_=X`, `ä=X`, `"ä"="X"`, `日本=~"語.*"`, `"a\"b"="c"`, `"a\\b"="c"`,
	`"a\nb"="c"`, `"a\tb"="c"`, `"\u00e4"="c"`, `ä="a\tb"`, `ä="a\nb"`, `ä="\u00e4"`, `ä="\x41"`, `ä="\d"`, `ä=~"\\d"`, `ä='x'`, `a='x'`, "a=`x`", "`a`=x", `'a'=x`, `""="x"`, `{a="b"}`, `{a=b`, `a=b}`, `a={b}`,
	`a="{b}"`, `a="b",c="d"`, `a=b,c=d`, `a="b",`, `a=b,`, `,a=b`, `a="b,c"`, `a=b c`, `a=b  `, "a=b\n", "\ta=b", "a=\tb", "a\n=\nb", `a="b" c`, `a="b" "c"`, `a=b=c`, `a=b!=c`, `a=~b|c`, `a=~b|`, `a=~|b`, `a=~"b||c"`,
	`a=~".+"`, `a=~".*"`, `a!~".+"`, `a!=""`, `a=~"^$"`, `a=~"\\pL+"`, `a=~"\\p{Greek}"`, `a=~"[[:alpha:]]+"`, `a=~"\\Qa.b\\E"`, `a=~"a\\Cb"`, `a=~"(?P<n>a)"`, `a=~"(?<n>a)"`, `a=~"a(?=b)"`, `a=~"(a)\\1"`,
	`a=~"a*?"`, `a=~"a**"`, `a=~"\\b"`, `a=~"\\z"`, `a=~"\\Z"`, `a=~"\\A"`, `a=~"x{2,1}"`, `a=~"x{2}"`, `a=~"x{,2}"`, `a=~"[a-"`, `a=~"[z-a]"`, `a=~"[]a]"`, `a=~"\\x{10FFFF}"`, `a=~"\\x{110000}"`, `a=~"(?U)a+"`,
	`a=~"(?m)^a$"`, `a=~"a\nb"`, `a=~"a.b"`, `a=~"$^"`, `a=~"(|a)"`, `a=~"(?:)"`, `a=~"\\8"`, `a=~"\\0"`, `a=~"\\01"`, `a=~"[\\d]"`, `a=~"[^\\d]"`, `a=~"\\W"`, "a=\u00a0b", "a\u00a0=b", "a=b\u2028", "a=\x0bb", "a=b\x0b", "a=\x85b", `!a=b`, `a~=b`, `a=!b`, `a=~~b`,
	`a!b`, `a!`, `a=~"b`, `a-b="c"`, `a/b="c"`, `a.b/c=~"d.*"`, `a@b=c`, `a=b#c`, `a=(b)`, `a=[b]`, `a=b;c`, `a=:b`, `a="b"}`, `{"a"="b"}`, `{}`, ``, ` `, `a=b\`, `a=b\"`, `a="b\"`, `"a="b"`, `"a"b="c"`,
}

var pieces = []string{"a", "b", "alertname", "shop", "ä", "日", "=", "!=", "=~", "!~", "~", "!", `"`, `"`, `\`, `\\`, `\n`, `\"`, `\d`, `\.`, " ", " ", "\n", "\t", ",", "{", "}", "(", ")", "[", "]", "|", ".", "*", "+",
	"?", "^", "$", "-", ":", "1", "{2}", "(?i)", "'", "`", "#", "/", ".*", ".+", "[a-z]", "\u00a0"}

func random(r *rand.Rand) string {
	some := func(n int) (s string) {
		for i := r.Intn(n + 1); i > 0; i-- {
			s += pieces[r.Intn(len(pieces))]
		}
		return s
	}
	quoted := func(s string) string {
		if r.Intn(2) == 0 {
			return `"` + s + `"`
		}
		return s
	}
	switch r.Intn(4) {
	case 0:
		return some(8)
	case 1:
		return quoted([]string{"a", "alertname", "ä", "a b", "a.b"}[r.Intn(5)]) + []string{"=", "!=", "=~", "!~", " = ", " =~ "}[r.Intn(6)] + some(5)
	case 2:
		return quoted(some(2)) + []string{"=", "!=", "=~", "!~"}[r.Intn(4)] + quoted(some(3))
	default:
		return "a" + []string{"=~", "!~"}[r.Intn(2)] + `"` + strings.ReplaceAll(strings.ReplaceAll(some(6), `\`, `\\`), `"`, `\"`) + `"`
	}
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	switch {
	case len(os.Args) == 4 && os.Args[1] == "make":
		seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
		count, _ := strconv.Atoi(os.Args[3])
		r := rand.New(rand.NewSource(seed))
		for i := 0; i < len(byHand)+count; i++ {
			if i < len(byHand) {
				encoder.Encode(read(byHand[i]))
			} else {
				encoder.Encode(read(random(r)))
			}
		}
	case len(os.Args) == 2 && os.Args[1] == "read":
		in := bufio.NewScanner(os.Stdin)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var line struct{ Text string }
			if err := json.Unmarshal(in.Bytes(), &line); err != nil {
				fmt.Fprintln(os.Stderr, "matchers:", err)
				os.Exit(1)
			}
			encoder.Encode(read(line.Text))
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: matchers make SEED COUNT | matchers read")
		os.Exit(2)
	}
}
