package client

import (
	"net"
	"strings"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// static is the scheme of a list of addresses.
const static = "static"

// target is what gRPC is to connect to, with the resolver that understands it
// if gRPC alone does not.
func (c Config) target(f *faults) (string, resolver.Builder) {
	if isScheme(c.Target) {
		return c.Target, nil
	}
	addresses := strings.Split(c.Target, ",")
	endpoints := make([]resolver.Endpoint, len(addresses))
	for i, address := range addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil || port == "" || strings.Contains(port, "/") {
			f.add("Target", "%s: write HOST:PORT, such as 127.0.0.1:7070, or several with commas between", c.Target)
			return "", nil
		}
		// The certificate of each must be for its own name.
		endpoints[i] = resolver.Endpoint{Addresses: []resolver.Address{{Addr: address, ServerName: host}}}
	}
	if len(addresses) == 1 {
		return c.Target, nil
	}
	list := manual.NewBuilderWithScheme(static)
	list.InitialState(resolver.State{Endpoints: endpoints})
	return static + ":///" + c.Target, list
}

// isScheme tells a target that says how it is to be understood. Addresses of the web
// say it to browsers.
func isScheme(target string) bool {
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		return false
	}
	return strings.HasPrefix(target, "unix") || strings.Contains(target, "://")
}

// isLocal tells a target on this machine. A name other than localhost is not
// trusted to stay here.
func isLocal(target string) bool {
	if strings.HasPrefix(target, "unix:") {
		return true
	}
	for address := range strings.SplitSeq(target, ",") {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return false
		}
		ip := net.ParseIP(host)
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
