package auth

import "strings"

// Method is a method that may be called, and who may.
type Method struct {
	Name  string // as on the wire: /package.Service/Method
	Roles Roles  // one of them is needed
	Known bool   // any caller of the access file may
	Open  bool   // anybody may, without being asked who it is
}

// reading are the roles that look at customers and cases.
const reading = Reader | Agent | Approver

// Methods is the table of all methods that may be called. What has no row here is
// refused, also what only looks like a row.
var Methods = []Method{
	{Name: "/recovery.v1.RecoveryService/ReportFailure", Roles: Reporter},
	{Name: "/recovery.v1.RecoveryService/RecordInteractions", Roles: Reporter},
	{Name: "/recovery.v1.RecoveryService/Ingest", Roles: Reporter},
	{Name: "/recovery.v1.RecoveryService/AssessCustomer", Roles: reading | Privacy},
	{Name: "/recovery.v1.RecoveryService/GetCase", Roles: reading},
	{Name: "/recovery.v1.RecoveryService/ListCases", Roles: reading},
	{Name: "/recovery.v1.RecoveryService/RequestOffer", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/ApproveOffer", Roles: Approver},
	{Name: "/recovery.v1.RecoveryService/MakeOffer", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/AnswerOffer", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/AcknowledgeCase", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/RecordContact", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/HoldCase", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/ReleaseCase", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/ResolveCase", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/RecordFollowUp", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/ReopenCase", Roles: Agent},
	{Name: "/recovery.v1.RecoveryService/WatchCases", Roles: reading},
	{Name: "/recovery.v1.RecoveryService/EraseCustomer", Roles: Privacy},
	{Name: "/recovery.v1.PolicyService/GetPolicy", Roles: reading | Admin},
	{Name: "/recovery.v1.PolicyService/ListPolicies", Roles: reading | Admin},
	{Name: "/recovery.v1.PolicyService/CheckPolicy", Roles: Admin},
	{Name: "/recovery.v1.PolicyService/SimulatePolicy", Roles: Admin},
	{Name: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Known: true},
	{Name: "/grpc.health.v1.Health/Check", Open: true},
	{Name: "/grpc.health.v1.Health/List", Open: true},
	{Name: "/grpc.health.v1.Health/Watch", Open: true},
}

var methods = func() map[string]Method {
	byName := make(map[string]Method, len(Methods))
	for _, m := range Methods {
		byName[m.Name] = m
	}
	return byName
}()

// Short is the name without its package, such as RecoveryService/GetCase.
func (m Method) Short() string {
	service, method, _ := strings.Cut(strings.TrimPrefix(m.Name, "/"), "/")
	return service[strings.LastIndexByte(service, '.')+1:] + "/" + method
}

// Allows reports whether somebody with these roles may call it.
func (m Method) Allows(r Roles) bool { return m.Known || m.Open || m.Roles&r != 0 }
