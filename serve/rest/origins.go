package rest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"tkit/inference"
	"tkit/serve"
)

// CheckOrigin returns an error if its argument is not the origin of web pages,
// SCHEME://HOST[:PORT]. There is no wildcard: each allowed origin is named.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != origin || u.Host == "*" {
		return fmt.Errorf("%q is not the origin of a web page: want SCHEME://HOST or SCHEME://HOST:PORT, such as https://lab.example.org", origin)
	}
	return nil
}

// origins prevents web pages of other origins from using the server through a
// user's browser, unless they are allowed. It also answers the preflight
// requests of browsers (CORS).
func (h *handler) origins(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		allowed := slices.Contains(h.Origins, origin)
		if len(h.Origins) > 0 {
			w.Header().Add("Vary", "Origin")
		}
		if !allowed {
			if err := protection.Check(r); err != nil {
				h.fail(w, r, &inference.Error{Reason: serve.Forbidden, Err: fmt.Errorf(
					"web pages of the origin %.200q may not use this server; its operator can allow them", cmp.Or(origin, "unknown"))})
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
