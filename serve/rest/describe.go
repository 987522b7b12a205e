package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/inference"
)

// A modelStatus is TensorFlow Serving's GetModelStatusResponse in JSON. It has no
// other members, because some clients refuse unknown ones.
type modelStatus struct {
	Versions []versionStatus `json:"model_version_status"`
}

type versionStatus struct {
	Version string `json:"version"` // int64 is a string in protobuf's JSON
	State   string `json:"state"`
	Status  struct {
		Code    string `json:"error_code"`
		Message string `json:"error_message"`
	} `json:"status"`
}

func newModelStatus(s inference.ModelStatus) modelStatus {
	m := modelStatus{Versions: []versionStatus{}}
	for _, v := range s.Versions {
		one := versionStatus{Version: strconv.Itoa(v.Version), State: v.State.String()}
		one.Status.Code = "OK"
		if trouble := v.Trouble(); trouble != "" {
			one.Status.Code, one.Status.Message = "UNKNOWN", trouble
		}
		m.Versions = append(m.Versions, one)
	}
	return m
}

// status responds with TensorFlow Serving's status of a model.
func (h *handler) status(_ http.ResponseWriter, r *http.Request, q question) ([]byte, error) {
	if err := knownQuery(r); err != nil {
		return nil, err
	}
	s, err := h.Manager.Status(q.ref)
	if err != nil {
		return nil, err
	}
	return json.Marshal(newModelStatus(s))
}

// list responds to GET /v1/models, an extension of tkit: the status of each model,
// and the version of each of its labels.
func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	if err := knownQuery(r); err != nil {
		h.fail(w, r, err)
		return
	}
	type model struct {
		Name string `json:"name"`
		modelStatus
		Labels map[string]int `json:"labels,omitempty"`
	}
	models := []model{}
	for _, s := range h.Manager.Models() {
		models = append(models, model{s.Model, newModelStatus(s), s.Labels})
	}
	h.answer(w, http.StatusOK, map[string]any{"models": models})
}

// A tensorInfo is TensorFlow's TensorInfo in JSON.
type tensorInfo struct {
	DataType string `json:"dtype"`
	Shape    struct {
		Dims        []dim `json:"dim"`
		UnknownRank bool  `json:"unknown_rank"`
	} `json:"tensor_shape"`
	Name string `json:"name"`
}

type dim struct {
	Size string `json:"size"`
	Name string `json:"name"`
}

func tensorInfos(all []inference.TensorInfo) map[string]tensorInfo {
	infos := map[string]tensorInfo{}
	for _, p := range all {
		info := tensorInfo{DataType: typespb.DataType(p.DataType).String(), Name: p.Tensor}
		info.Shape.UnknownRank = p.Shape == nil
		for _, d := range p.Shape {
			info.Shape.Dims = append(info.Shape.Dims, dim{Size: strconv.FormatInt(d, 10)})
		}
		infos[p.Name] = info
	}
	return infos
}

// metadata responds with TensorFlow Serving's metadata, and with additional
// fields for callers of :classify-image.
func (h *handler) metadata(_ http.ResponseWriter, r *http.Request, q question) ([]byte, error) {
	if err := knownQuery(r); err != nil {
		return nil, err
	}
	s, err := q.find(r.Context())
	if err != nil {
		return nil, err
	}
	signatures := map[string]any{}
	for name, signature := range s.Signatures() {
		signatures[name] = map[string]any{
			"inputs":      tensorInfos(signature.Inputs),
			"outputs":     tensorInfos(signature.Outputs),
			"method_name": signature.Method,
			"defaults":    map[string]any{},
		}
	}
	metadata := map[string]any{"signature_def": map[string]any{"signature_def": signatures}}
	if m := s.Manifest; m != nil {
		metadata["labels"], metadata["preprocessing"], metadata["created"], metadata["trunk"] = m.Labels, m.Preprocessing, m.Created, m.Trunk.Digest
		metadata["preprocessing_digest"] = m.Preprocessing.Digest()
	}
	if s.Manifest != nil && h.Restrictions != nil {
		by, err := h.Restrictions(r.Context(), s.Version)
		if err != nil {
			return nil, err
		}
		metadata["restricted_by"] = by
	}
	return json.Marshal(map[string]any{
		"model_spec": map[string]string{"name": s.Model, "signature_name": "", "version": strconv.Itoa(s.Number)},
		"metadata":   metadata,
	})
}

// live answers the liveness check.
func (h *handler) live(w http.ResponseWriter, r *http.Request) {
	if err := knownQuery(r); err != nil {
		h.fail(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, map[string]string{"status": "live"})
}

// ready answers the readiness check, and lists the wanted models and versions that
// are not available. With ?complete the server is ready only if there are none.
func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	if err := knownQuery(r, "complete"); err != nil {
		h.fail(w, r, err)
		return
	}
	now := h.Manager.Readiness()
	answer := readiness{Status: "ready", Missing: now.Missing, Failing: now.Failing}
	switch {
	case h.Draining():
		answer.Error = "the server is stopping"
	case h.Policy != nil && h.Policy() != nil:
		answer.Error = "the policy cannot be read, so requests are refused"
	case !now.Started:
		answer.Error = "the server is starting"
	case !now.Ready && len(now.Failing) > 0:
		answer.Error = "not loaded yet, or failing: see missing and failing, and the status of the model"
	case !now.Ready:
		answer.Error = "not loaded yet: " + strings.Join(now.Missing, ", ")
	case r.URL.Query().Has("complete") && !now.Complete():
		answer.Error = "not all models are available: see missing and failing, and the status of the model"
	}
	status := http.StatusOK
	if answer.Error != "" {
		status, answer.Status, answer.Reason = http.StatusServiceUnavailable, "", inference.Unavailable
	}
	h.answer(w, status, answer)
}

// A readiness is the response to /readyz.
type readiness struct {
	Status  string           `json:"status,omitempty"` // "ready", or an error
	Error   string           `json:"error,omitempty"`
	Reason  inference.Reason `json:"reason,omitempty"`
	Missing []string         `json:"missing,omitempty"`
	Failing []string         `json:"failing,omitempty"`
}
