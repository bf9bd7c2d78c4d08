package chipsim

import "math"

// A thermocouple is one of the letter-designated ones: its reference function
// of ITS-90, after NIST Monograph 175, from 0 °C at the cold junction.
type thermocouple struct {
	pieces []piece
	// hump adds the bell that a type K has on its polynomial above 0 °C, and
	// only there: at 0 °C it takes the polynomial's first coefficient away.
	hump bool
	// low and high are what a MAX31856 linearises of it, °C.
	low, high float64
}

// A piece is the polynomial from one temperature to another, in µV by °C, from
// the lowest power on.
type piece struct {
	from, to float64
	powers   []float64
}

// thermocoupleLetters are in the order of the MAX31856's register.
const thermocoupleLetters = "BEJKNRST"

var thermocouples = map[byte]thermocouple{
	'B': {low: 250, high: 1820, pieces: []piece{
		{0, 630.615, []float64{
			0, -2.4650818346e-1, 5.9040421171e-3, -1.3257931636e-6, 1.5668291901e-9,
			-1.694452924e-12, 6.2990347094e-16}},
		{630.615, 1820, []float64{
			-3.8938168621e3, 2.857174747e1, -8.4885104785e-2, 1.5785280164e-4, -1.6835344864e-7,
			1.1109794013e-10, -4.4515431033e-14, 9.8975640821e-18, -9.3791330289e-22}},
	}},
	'E': {low: -200, high: 1000, pieces: []piece{
		{-270, 0, []float64{
			0, 5.8665508708e1, 4.5410977124e-2, -7.7998048686e-4, -2.5800160843e-5,
			-5.9452583057e-7, -9.3214058667e-9, -1.0287605534e-10, -8.0370123621e-13, -4.3979497391e-15,
			-1.6414776355e-17, -3.9673619516e-20, -5.5827328721e-23, -3.4657842013e-26}},
		{0, 1000, []float64{
			0, 5.866550871e1, 4.5032275582e-2, 2.8908407212e-5, -3.3056896652e-7,
			6.502440327e-10, -1.9197495504e-13, -1.2536600497e-15, 2.1489217569e-18, -1.4388041782e-21,
			3.5960899481e-25}},
	}},
	'J': {low: -210, high: 1200, pieces: []piece{
		{-210, 760, []float64{
			0, 5.0381187815e1, 3.047583693e-2, -8.568106572e-5, 1.3228195295e-7,
			-1.7052958337e-10, 2.0948090697e-13, -1.2538395336e-16, 1.5631725697e-20}},
		{760, 1200, []float64{
			2.9645625681e5, -1.4976127786e3, 3.1787103924, -3.1847686701e-3, 1.5720819004e-6,
			-3.0691369056e-10}},
	}},
	'K': {low: -200, high: 1372, hump: true, pieces: []piece{
		{-270, 0, []float64{
			0, 3.9450128025e1, 2.3622373598e-2, -3.2858906784e-4, -4.9904828777e-6,
			-6.7509059173e-8, -5.7410327428e-10, -3.1088872894e-12, -1.0451609365e-14, -1.9889266878e-17,
			-1.6322697486e-20}},
		{0, 1372, []float64{
			-1.7600413686e1, 3.8921204975e1, 1.8558770032e-2, -9.9457592874e-5, 3.1840945719e-7,
			-5.6072844889e-10, 5.6075059059e-13, -3.2020720003e-16, 9.7151147152e-20, -1.2104721275e-23}},
	}},
	'N': {low: -200, high: 1300, pieces: []piece{
		{-270, 0, []float64{
			0, 2.6159105962e1, 1.0957484228e-2, -9.3841111554e-5, -4.6412039759e-8,
			-2.6303357716e-9, -2.2653438003e-11, -7.6089300791e-14, -9.3419667835e-17}},
		{0, 1300, []float64{
			0, 2.5929394601e1, 1.571014188e-2, 4.3825627237e-5, -2.5261169794e-7,
			6.4311819339e-10, -1.0063471519e-12, 9.9745338992e-16, -6.0863245607e-19, 2.0849229339e-22,
			-3.0682196151e-26}},
	}},
	'R': {low: -50, high: 1768, pieces: []piece{
		{-50, 1064.18, []float64{
			0, 5.28961729765, 1.39166589782e-2, -2.38855693017e-5, 3.56916001063e-8,
			-4.62347666298e-11, 5.00777441034e-14, -3.73105886191e-17, 1.57716482367e-20, -2.81038625251e-24}},
		{1064.18, 1664.5, []float64{
			2.95157925316e3, -2.52061251332, 1.59564501865e-2, -7.64085947576e-6, 2.05305291024e-9,
			-2.93359668173e-13}},
		{1664.5, 1768.1, []float64{
			1.52232118209e5, -2.68819888545e2, 1.71280280471e-1, -3.45895706453e-5, -9.34633971046e-12}},
	}},
	'S': {low: -50, high: 1768, pieces: []piece{
		{-50, 1064.18, []float64{
			0, 5.40313308631, 1.2593428974e-2, -2.32477968689e-5, 3.22028823036e-8,
			-3.31465196389e-11, 2.55744251786e-14, -1.25068871393e-17, 2.71443176145e-21}},
		{1064.18, 1664.5, []float64{
			1.32900444085e3, 3.34509311344, 6.54805192818e-3, -1.64856259209e-6, 1.29989605174e-11}},
		{1664.5, 1768.1, []float64{
			1.46628232636e5, -2.58430516752e2, 1.63693574641e-1, -3.30439046987e-5, -9.43223690612e-12}},
	}},
	'T': {low: -200, high: 400, pieces: []piece{
		{-270, 0, []float64{
			0, 3.8748106364e1, 4.4194434347e-2, 1.1844323105e-4, 2.0032973554e-5,
			9.0138019559e-7, 2.2651156593e-8, 3.6071154205e-10, 3.8493939883e-12, 2.8213521925e-14,
			1.4251594779e-16, 4.8768662286e-19, 1.079553927e-21, 1.3945027062e-24, 7.9795153927e-28}},
		{0, 400, []float64{
			0, 3.8748106364e1, 3.329222788e-2, 2.0618243404e-4, -2.1882256846e-6,
			1.0996880928e-8, -3.0815758772e-11, 4.547913529e-14, -2.7512901673e-17}},
	}},
}

// emf is the voltage in µV with the cold junction at 0 °C. Beyond the ends of
// the function it goes straight on.
func (t thermocouple) emf(c float64) float64 {
	last := len(t.pieces) - 1
	if end := min(max(c, t.pieces[0].from), t.pieces[last].to); end != c {
		inner := end + math.Copysign(0.1, end-c)
		return t.emf(end) + (t.emf(end)-t.emf(inner))/(end-inner)*(c-end)
	}
	i := 0
	for i < last && c > t.pieces[i].to {
		i++
	}
	p := t.pieces[i].powers
	v := 0.0
	for k := len(p) - 1; k >= 0; k-- {
		v = v*c + p[k]
	}
	if t.hump && c > 0 {
		v += 118.5976 * math.Exp(-1.183432e-4*(c-126.9686)*(c-126.9686))
	}
	return v
}

// temperature is where the thermocouple has the voltage in µV. It answers false
// and the nearer end where that is outside what the MAX31856 linearises. Within
// it every type's voltage rises, so that halving finds it.
func (t thermocouple) temperature(v float64) (float64, bool) {
	low, high := t.low, t.high
	switch {
	case v < t.emf(low):
		return low, false
	case v > t.emf(high):
		return high, false
	}
	for high-low > 1e-6 {
		if c := (low + high) / 2; t.emf(c) < v {
			low = c
		} else {
			high = c
		}
	}
	return (low + high) / 2, true
}
