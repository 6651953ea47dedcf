--- The proleptic Gregorian calendar in days and seconds since 1970-01-01. Knows no zones.

local int = require("kernel.int")

local M = {}

local div = int.div

local DAYS_BEFORE = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 }
local DAYS_IN_400_YEARS = 146097
--- Instants are fewer seconds than this from 1970: 285 million years, exact on every Lua.
M.FARTHEST = 9007199254740992

local FROM_YEAR_0 = 719468 -- days from 0000-03-01 to 1970-01-01

function M.is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

function M.days_in(year, month)
  if month == 2 and M.is_leap(year) then
    return 29
  end
  return DAYS_BEFORE[month + 1] - DAYS_BEFORE[month]
end

--- The day of the year of a date; 1 to 366.
function M.year_day(year, month, day)
  local leap_day = month > 2 and M.is_leap(year) and 1 or 0
  return DAYS_BEFORE[month] + leap_day + day
end

--- The month and day of a day of the year.
function M.month_and_day(year, year_day)
  local month = 12
  while M.year_day(year, month, 1) > year_day do
    month = month - 1
  end
  return month, year_day - M.year_day(year, month, 1) + 1
end

--- Days since 1970-01-01. Month and day may be outside their ranges and carry over.
function M.days(year, month, day)
  year = year + div(month - 1, 12)
  local month_from_march = (month - 3) % 12
  if month_from_march > 9 then -- January and February end the year that began in March
    year = year - 1
  end
  local era = div(year, 400)
  local year_of_era = year - era * 400
  local day_of_year = div(153 * month_from_march + 2, 5) + day - 1
  local leap_days = div(year_of_era, 4) - div(year_of_era, 100)
  return era * DAYS_IN_400_YEARS + year_of_era * 365 + leap_days + day_of_year - FROM_YEAR_0
end

--- Year, month and day of a number of days since 1970-01-01.
function M.date(days)
  days = days + FROM_YEAR_0
  local era = div(days, DAYS_IN_400_YEARS)
  local day = days - era * DAYS_IN_400_YEARS
  local year = div(day - div(day, 1460) + div(day, 36524) - div(day, 146096), 365)
  local day_of_year = day - (365 * year + div(year, 4) - div(year, 100))
  local month_from_march = div(5 * day_of_year + 2, 153)
  local month = month_from_march < 10 and month_from_march + 3 or month_from_march - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  return year, month, day_of_year - div(153 * month_from_march + 2, 5) + 1
end

--- Seconds since 1970-01-01T00:00:00 of a date and a clock time, both as they read. Numbers
-- outside their ranges carry over; nil if the sum is far beyond FARTHEST, where it could wrap.
function M.seconds(year, month, day, hour, minute, second)
  local years = year - 1970.0 + month / 12
  local roughly = years * 31556952 + day * 86400.0 + hour * 3600.0 + minute * 60.0 + second
  if math.abs(roughly) > 2 * M.FARTHEST then
    return nil
  end
  return M.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

--- The day of the week of a number of days since 1970-01-01 (a Thursday); Sunday is 0.
function M.weekday(days)
  return (days + 4) % 7
end

return M
