// Package bench measures what the service costs on the machine where it runs,
// beside baselines that run in the same minutes: absolute figures of a machine
// say little of another one, ratios say more.
//
// A Section is what one part of it has found. A Figure has the values of all
// rounds, a Ratio two figures that were measured in turns, and its aim.
package bench

import "time"

// Report is all that one run has found.
type Report struct {
	Machine  Machine   `json:"machine"`
	Began    time.Time `json:"began"`
	Took     float64   `json:"took_seconds"`
	Full     bool      `json:"full"`             // nothing was left out or shortened
	Broken   string    `json:"broken,omitempty"` // why the run ended before its end
	Sections []Section `json:"sections"`
}

// Section is what one part of the run has found.
type Section struct {
	Name    string   `json:"name"` // by which --only asks for it
	Title   string   `json:"title"`
	Notes   []string `json:"notes,omitempty"` // how it was measured, and what the figures do not say
	Ratios  []Ratio  `json:"ratios,omitempty"`
	Figures []Figure `json:"figures,omitempty"`
	Tables  []Table  `json:"tables,omitempty"`
	Plots   []Plot   `json:"plots,omitempty"`
}

// Figure is one thing that was measured, several times over.
type Figure struct {
	Name   string    `json:"name"` // for machines: lower case with dots, such as "service.cpu"
	About  string    `json:"about"`
	Unit   string    `json:"unit"`
	Rounds []float64 `json:"rounds"`
	Value  float64   `json:"value"` // the median of the rounds
	Low    float64   `json:"low"`
	High   float64   `json:"high"`
	Tabled bool      `json:"tabled,omitempty"` // a table shows it as well
}

// Ratio compares two figures round by round, so that what disturbs one disturbs
// the other as well.
type Ratio struct {
	Figure
	Aim Aim `json:"aim,omitzero"`
}

// Aim is what a ratio should be; both bounds 0: there is none.
type Aim struct {
	Most  float64 `json:"most,omitempty"`
	Least float64 `json:"least,omitempty"`
}

// Table shows figures that belong together.
type Table struct {
	Title   string     `json:"title,omitempty"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"` // the first cell names the row
}

// Plot is a picture of figures.
type Plot struct {
	Name   string   `json:"name"` // of the file, without .svg
	Title  string   `json:"title"`
	X      Axis     `json:"x"`
	Y      Axis     `json:"y"`
	Series []Series `json:"series"`
	Hollow string   `json:"hollow,omitempty"` // what hollow points mean
}

// Axis is one direction of a plot.
type Axis struct {
	Label string `json:"label"`
	Log   bool   `json:"log,omitempty"`
}

// Series is one line of a plot.
type Series struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`
	Hollow []int        `json:"hollow,omitempty"` // indices of the points that are drawn hollow
}
