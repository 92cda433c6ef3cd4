package policy

import "strings"

// Digits is how many decimals the minor unit of a currency has, whether or not a
// policy lists it; 2, as most have, for a code that is not known.
func Digits(currency string) int {
	if digits, known := minorDigits[currency]; known {
		return digits
	}
	return 2
}

// minorDigits gives the decimals of the minor unit of every current ISO 4217
// currency. Codes without a minor unit (gold, SDR, testing) are left out: no
// customer is paid in them. Those withdrawn are left out too, such as ANG, which
// XCG followed.
var minorDigits = func() map[string]int {
	digits := map[string]int{}
	for n, codes := range map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF " +
			"CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ " +
			"GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD " +
			"MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON " +
			"RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS " +
			"UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	} {
		for _, code := range strings.Fields(codes) {
			digits[code] = n
		}
	}
	return digits
}()
