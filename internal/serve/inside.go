package serve

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

// insideIndex lists what only this machine may see.
const insideIndex = `/debug/pprof/   profiles: go tool pprof http://HOST:PORT/debug/pprof/profile
/loglevel       the least level that is logged; change it with: curl -X PUT -d debug http://HOST:PORT/loglevel

and over gRPC, without TLS: grpc.channelz.v1.Channelz (connections and streams)
`

// inside is what shows the inner workings of the process, or changes them: only
// for those who are on the machine, so only where the listener is on loopback.
type inside struct {
	open   bool
	level  *slog.LevelVar // nil: cannot be changed
	logger *slog.Logger
	grpc   *grpc.Server
}

func (s *Server) newInside() *inside {
	addr, ok := s.opsListener.Addr().(*net.TCPAddr)
	i := &inside{open: ok && addr.IP.IsLoopback(), level: s.config.Level, logger: s.config.Logger, grpc: grpc.NewServer()}
	channelz.RegisterChannelzServiceToServer(i.grpc)
	reflectionv1.RegisterServerReflectionServer(i.grpc, reflection.NewServerV1(reflection.ServerOptions{Services: i.grpc}))
	return i
}

// register offers it. The command line of the process is not shown: it may hold a
// password of the store.
func (i *inside) register(on *http.ServeMux) {
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /loglevel":                              i.showLevel,
		"PUT /loglevel":                              i.setLevel,
		"GET /debug/pprof/":                          pprof.Index,
		"GET /debug/pprof/cmdline":                   http.NotFound,
		"GET /debug/pprof/profile":                   pprof.Profile,
		"GET /debug/pprof/symbol":                    pprof.Symbol,
		"POST /debug/pprof/symbol":                   pprof.Symbol,
		"GET /debug/pprof/trace":                     pprof.Trace,
		"POST /grpc.channelz.v1.Channelz/":           i.grpc.ServeHTTP,
		"POST /grpc.reflection.v1.ServerReflection/": i.grpc.ServeHTTP,
	} {
		on.HandleFunc(pattern, i.guard(handle))
	}
}

// guard lets in who is on this machine. Whoever asks for another name than this
// machine's own is a page in a browser here that was made to believe that its
// site is here.
func (i *inside) guard(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !i.open:
			http.Error(w, "offered only where the address for operators (--ops-listen) is a loopback one, such as "+DefaultOpsListen, http.StatusNotFound)
		case !isLoopback(r.Host):
			http.Error(w, "ask for it by a loopback address or as localhost", http.StatusForbidden)
		default:
			handle(w, r)
		}
	}
}

// isLoopback reports whether HOST or HOST:PORT names this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (i *inside) showLevel(w http.ResponseWriter, _ *http.Request) {
	if i.level == nil {
		http.Error(w, "the log level of this process is fixed", http.StatusNotFound)
		return
	}
	fmt.Fprintln(w, strings.ToLower(i.level.Level().String()))
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// setLevel changes what is logged from now on, which is itself logged whatever
// the level.
func (i *inside) setLevel(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(io.LimitReader(r.Body, 16))
	to, known := levels[strings.ToLower(strings.TrimSpace(string(text)))]
	switch {
	case err != nil || !known:
		http.Error(w, "the level must be debug, info, warn or error, as in: curl -X PUT -d debug http://"+r.Host+"/loglevel", http.StatusBadRequest)
		return
	case i.level == nil:
		i.showLevel(w, r)
		return
	}
	was := i.level.Level()
	i.level.Set(min(was, to))
	i.logger.Log(r.Context(), max(slog.LevelInfo, min(was, to)), "the log level changes", "to", to, "before", was)
	i.level.Set(to)
	i.showLevel(w, r)
}
