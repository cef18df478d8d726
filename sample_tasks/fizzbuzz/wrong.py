"""A solution of FizzBuzz with a mistake in it, for check.py to find."""


def fizzbuzz(number: int) -> str:
    if number % 3 == 0:
        return "Fizz"
    if number % 5 == 0:
        return "Buzz"
    return str(number)
